//! What the language knows and no runner of this version does: refused with the plan, at its line, so that no
//! job waits for a machine only to learn it.

use pumice_job::{Action, Boot, BootDetail, TransferMethod};
use pumice_types::{Code, Diagnostic, Span};

use super::Builder;

/// The job asks for something that cannot be done here.
pub(crate) const UNSUPPORTED: Code = Code("not-supported");

impl Builder<'_> {
    /// Says everything in a block that cannot be done. Gives whether there is anything.
    pub(crate) fn refuse_unsupported(&mut self, action: &Action) -> bool {
        let found = match action {
            Action::Boot(boot) => in_boot(boot),
            Action::Deploy(_) | Action::Test(_) | Action::Command(_) => Vec::new(),
        };
        let refuses = !found.is_empty();
        for (span, what, help) in found {
            let message = format!("{what} is not supported yet");
            self.diagnostics.push(Diagnostic::error(UNSUPPORTED, span, message).help(help));
        }
        refuses
    }
}

/// Where it stands, what it is, and what to do instead.
type Refused = (Span, String, &'static str);

fn in_boot(boot: &Boot) -> Vec<Refused> {
    let mut found = Vec::new();
    if let BootDetail::Ssh(ssh) = &boot.detail {
        let help = "enter it with a command of a test block";
        found.extend(ssh.schroot.iter().map(|name| (name.span, "`schroot`".to_owned(), help)));
    }
    if let Some(transfer) = &boot.transfer_overlay
        && transfer.method != TransferMethod::Http
    {
        let word = if transfer.method == TransferMethod::Nfs { "nfs" } else { "zmodem" };
        let help = "leave `transfer_method` out: the overlay then travels over HTTP";
        found.push((transfer.download_command.span, format!("`transfer_method: {word}`"), help));
    }
    found
}

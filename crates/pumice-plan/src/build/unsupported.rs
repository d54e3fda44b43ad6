//! What the language knows and no runner of this version does: refused with the plan, at its line, so that no
//! job waits for a machine only to learn it.

use pumice_job::{Action, Boot, BootDetail, Test, TestKind, TransferMethod};
use pumice_types::{Code, Diagnostic, Span};

use super::Builder;

/// The job asks for something that cannot be done here.
pub(crate) const UNSUPPORTED: Code = Code("not-supported");

impl Builder<'_> {
    /// Says everything in a block that cannot be done. Gives whether there is anything.
    pub(crate) fn refuse_unsupported(&mut self, action: &Action) -> bool {
        let found = match action {
            Action::Boot(boot) => in_boot(boot),
            Action::Test(test) => in_test(test),
            Action::Deploy(_) | Action::Command(_) => Vec::new(),
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
        let help = "give the device the machine's address, `ssh_host` in its dictionary";
        let named = ssh.host_id.iter().map(|id| (id, "an address from another node, `hostID`,", help));
        let help = "enter it with a command of a test block";
        let named = named.chain(ssh.schroot.iter().map(|name| (name, "`schroot`", help)));
        found.extend(named.map(|(text, what, help)| (text.span, what.to_owned(), help)));
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

fn in_test(test: &Test) -> Vec<Refused> {
    match &test.kind {
        TestKind::Services(services) => {
            let help = "start the service on the host before the job";
            services.iter().take(1).map(|one| (one.span, "`services`".to_owned(), help)).collect()
        }
        TestKind::Definitions { .. }
        | TestKind::Interactive(_)
        | TestKind::Monitors(_)
        | TestKind::Commands(_) => Vec::new(),
    }
}

//! What the language knows and no runner of this version does: refused with the plan, at its line, so that no
//! job waits for a machine only to learn it.

use pumice_job::{Action, Boot, BootDetail, Deploy, Postprocess, Test, TestKind, TransferMethod};
use pumice_types::{Code, Diagnostic, Span};

use super::Builder;

/// The job asks for something that cannot be done here.
pub(crate) const UNSUPPORTED: Code = Code("not-supported");

impl Builder<'_> {
    /// Says everything in a block that cannot be done. Gives whether there is anything.
    pub(crate) fn refuse_unsupported(&mut self, action: &Action) -> bool {
        let found = match action {
            Action::Deploy(deploy) => in_deploy(deploy),
            Action::Boot(boot) => in_boot(boot),
            Action::Test(test) => in_test(test),
            Action::Command(_) => Vec::new(),
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

const CONTAINER: &str = "prepare the files before the job, or run the tests in the guest";

fn in_deploy(deploy: &Deploy) -> Vec<Refused> {
    let help = match deploy.to.value.as_str() {
        "nfs" => "give the machine its root file system as an initramfs or as a disk image",
        "iso-installer" => "install the system once, and deploy the disk image that came out of it",
        "ssh" => "bring files into the guest with `transfer_overlay`, or into its image with `overlays`",
        "docker" => CONTAINER,
        _ => {
            let postprocess = deploy.postprocess.iter();
            let refused = |postprocess: &Postprocess| {
                (postprocess.container.span, "`postprocess` in a container".to_owned(), CONTAINER)
            };
            return postprocess.map(refused).collect();
        }
    };
    vec![(deploy.to.span, format!("deploying to `{}`", deploy.to.value), help)]
}

fn in_boot(boot: &Boot) -> Vec<Refused> {
    let help = match boot.method.value.as_str() {
        "new_connection" => {
            "tests see every console of a machine in the log; they can type into the main one"
        }
        "kexec" => "deploy the kernel and boot it, in a deploy and a boot block of its own",
        "docker" => CONTAINER,
        "ssh" => "boot the machine and log in on its console",
        _ => "",
    };
    let mut found = Vec::new();
    if !help.is_empty() {
        found.push((boot.method.span, format!("booting with method `{}`", boot.method.value), help));
    }
    if let BootDetail::Minimal(minimal) = &boot.detail {
        let named =
            [("pre_power_command", minimal.pre_power_command), ("pre_os_command", minimal.pre_os_command)];
        for (name, _) in named.into_iter().filter(|(_, is_set)| *is_set) {
            let help = "put a `command` block that runs it before this one";
            found.push((minimal.span, format!("`{name}` of method `minimal`"), help));
        }
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
        TestKind::Definitions { container: Some(container), .. } => {
            vec![(container.container.span, "a test in a container".to_owned(), CONTAINER)]
        }
        TestKind::Definitions { definitions, container: None } => {
            let timeouts = definitions.iter().filter_map(|definition| definition.timeout);
            let help = "give the block a `timeout`, and the definition a block of its own";
            timeouts.map(|timeout| (timeout.span, "`timeout` of one definition".to_owned(), help)).collect()
        }
        TestKind::Services(services) => {
            let help = "start the service on the host before the job";
            services.iter().take(1).map(|one| (one.span, "`services`".to_owned(), help)).collect()
        }
        TestKind::Interactive(_) | TestKind::Monitors(_) | TestKind::Commands(_) => Vec::new(),
    }
}

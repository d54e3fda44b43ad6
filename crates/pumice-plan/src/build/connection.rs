//! Plans connections to machines that run already: over SSH, or as the device says.

use pumice_job::{Boot as JobBoot, SshBoot};
use pumice_types::{Code, Diagnostic};
use pumice_yaml::Node;

use super::{Builder, NOT_ON_DEVICE, unsupported::UNSUPPORTED, words};
use crate::boot::{AddressMessage, BootKind, SshTarget};

/// A connection the device does not have.
const UNKNOWN_CONNECTION: Code = Code("unknown-connection");

/// The port of SSH (RFC 4253, 4.1).
const SSH_PORT: u16 = 22;

impl Builder<'_> {
    /// Whom a boot over SSH reaches (lava-compat 1.5, 1.6, 2.5).
    pub(crate) fn ssh_target(&mut self, boot: &JobBoot, ssh: &SshBoot) -> Option<SshTarget> {
        let node = self.device.deploy_method("ssh");
        let text = |key| node.and_then(|node| node.get(key)).and_then(Node::scalar_text);
        let filled = |key| text(key).filter(|text| !text.is_empty());
        let options = node.and_then(|node| node.get("options")).and_then(Node::as_seq).unwrap_or_default();
        let options = options.iter().filter(|item| !item.is_null()).filter_map(Node::scalar_text);
        let address = self.address_message(ssh)?;
        let target = SshTarget {
            host: filled("host").unwrap_or_default(),
            address,
            port: filled("port").and_then(|port| port.parse().ok()).unwrap_or(SSH_PORT),
            user: filled("user").unwrap_or_else(|| "root".to_owned()),
            identity_file: filled("identity_file"),
            options: options.collect(),
        };
        if target.host.is_empty() && target.address.is_none() {
            let message = "the device does not say which machine to log in to";
            self.diagnostics
                .push(Diagnostic::error(NOT_ON_DEVICE, boot.method.span, message).help(
                    "give the device `actions.deploy.methods.ssh.host` (`ssh_host` in its dictionary)",
                ));
            return None;
        }
        Some(target)
    }

    /// The message that brings the address, where the job names one. Nothing is planned for one that cannot come.
    #[expect(clippy::option_option, reason = "whether it goes on, and whether there is one")]
    fn address_message(&mut self, ssh: &SshBoot) -> Option<Option<AddressMessage>> {
        let Some(id) = &ssh.host_id else { return Some(None) };
        let refused = match (&self.job.node, &ssh.host_key) {
            (None, _) => Diagnostic::error(
                UNSUPPORTED,
                id.span,
                "a job of one machine has no other node that could send an address",
            )
            .help("give the device the machine's address, `ssh_host` in its dictionary"),
            (Some(_), None) => Diagnostic::error(
                UNKNOWN_CONNECTION,
                id.span,
                format!("which key of the message `{}` holds the address?", id.value),
            )
            .help("add `host_key:` beside `hostID:`, for example `host_key: ipaddr`"),
            (Some(_), Some(key)) => {
                return Some(Some(AddressMessage { id: id.value.clone(), key: key.value.clone() }));
            }
        };
        self.diagnostics.push(refused);
        None
    }

    /// A node that is a connection to another one's machine starts none itself.
    pub(crate) fn check_connection_role(&mut self, boot: &JobBoot) -> Option<()> {
        let connection = self.job.node.as_ref().and_then(|node| node.connection.as_ref())?;
        if matches!(boot.method.value.as_str(), "ssh" | "new_connection") {
            return None;
        }
        let message = format!(
            "a role that is a connection to the machine of `{}` boots none itself",
            connection.host_role.value
        );
        let help = "use `method: ssh`, or leave the role out of this block's `role`";
        self.diagnostics.push(Diagnostic::error(UNSUPPORTED, boot.method.span, message).help(help));
        Some(())
    }

    /// One of the device's `commands.connections`.
    pub(crate) fn new_connection(&mut self, boot: &JobBoot) -> Option<BootKind> {
        let name = boot.connection.clone()?;
        let connections = &self.device.commands.connections;
        let Some(connection) = connections.get(&name.value) else {
            let known: Vec<_> = connections.keys().map(String::as_str).collect();
            let message = format!("the device has no connection `{}`", name.value);
            let meant = pumice_types::nearest(&name.value, known.iter().copied()).map(str::to_owned);
            let mut diagnostic = Diagnostic::error(UNKNOWN_CONNECTION, name.span, message).suggest(meant);
            if !known.is_empty() {
                diagnostic = diagnostic.help(format!("it has: {}", known.join(", ")));
            }
            self.diagnostics.push(diagnostic);
            return None;
        };
        Some(BootKind::NewConnection { name, command: words(&connection.connect) })
    }
}

//! The network of a machine on the host's side: made before it starts, taken away after.

use std::ffi::OsString;

use pumice_network::{
    bridge::BridgedTap,
    namespace::{Forward, Namespace},
};
use pumice_types::{Deadline, Failure};

use crate::{HostNetwork, Launch, StartOptions};

/// What was made.
#[derive(Debug)]
pub(crate) enum MadeNetwork {
    Namespace(Box<Namespace>),
    Bridge(BridgedTap),
}

impl MadeNetwork {
    /// Makes what the launch asks for; nothing when it asks for nothing.
    pub(crate) async fn make(launch: &Launch, options: &StartOptions<'_>) -> Result<Option<Self>, Failure> {
        let Some(network) = &launch.network else { return Ok(None) };
        let made = match network {
            HostNetwork::Namespace { tap } => {
                let forwards: Vec<_> = launch
                    .forwards
                    .iter()
                    .map(|one| Forward { host_port: one.host_port, guest_port: one.guest_port })
                    .collect();
                let made = Namespace::make(
                    options.guard,
                    options.network_helper,
                    tap,
                    &forwards,
                    &launch.work_dir,
                    options.search_path,
                    options.deadline,
                );
                Self::Namespace(Box::new(made.await?))
            }
            HostNetwork::Bridge { tap, bridge } => {
                Self::Bridge(BridgedTap::make(options.guard.ledger(), tap, bridge, options.search_path)?)
            }
        };
        Ok(Some(made))
    }

    /// The words in front of the program, which runs in the network.
    pub(crate) fn prefix(&self) -> Vec<OsString> {
        match self {
            Self::Namespace(namespace) => namespace.prefix(),
            Self::Bridge(_) => Vec::new(),
        }
    }

    /// Where ports that the program opens are reached; `None` where it opens them on this host.
    pub(crate) fn way_in(&self) -> Option<std::path::PathBuf> {
        match self {
            Self::Namespace(namespace) => Some(namespace.socket().to_owned()),
            Self::Bridge(_) => None,
        }
    }

    /// Takes it away. The machine has ended.
    pub(crate) async fn end(self, guard: &pumice_process::Guard, deadline: &Deadline) -> Result<(), Failure> {
        match self {
            Self::Namespace(namespace) => namespace.end(deadline).await,
            Self::Bridge(tap) => tap.end(guard.ledger()),
        }
    }
}

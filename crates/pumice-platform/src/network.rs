//! The network of a machine on the host's side: made before it starts, taken away after.

use std::ffi::OsString;

use pumice_network::{
    bridge::BridgedTap,
    namespace::{self, Forward, Namespace},
};
use pumice_plan::{HostSeen, NetworkSpec};
use pumice_types::{Cause, Deadline, Failure};

use crate::{HostNetwork, Launch, StartOptions};

/// Where a guest on a network that is made for it on this host sees this host; `None` for every other network.
pub fn host_on_made_network(network: &NetworkSpec) -> Option<HostSeen> {
    match network {
        NetworkSpec::Tap { bridge: Some(bridge), .. } => Some(HostSeen::OnBridge(bridge.clone())),
        NetworkSpec::Tap { bridge: None, .. } => Some(HostSeen::LoopbackAt(namespace::GATEWAY)),
        _ => None,
    }
}

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
        let mut made = match network {
            HostNetwork::Namespace { tap } => {
                let forwards: Vec<_> = launch
                    .forwards
                    .iter()
                    .map(|one| Forward { host_port: one.host_port, guest_port: one.guest_port })
                    .collect();
                let plan = namespace::Plan {
                    helper: options.network_helper,
                    tap,
                    forwards: &forwards,
                    reach: &options.networks.reach,
                    directory: &launch.work_dir,
                    search_path: options.search_path,
                };
                Self::Namespace(Box::new(Namespace::make(options.guard, plan, options.deadline).await?))
            }
            HostNetwork::Bridge { tap, bridge } => {
                let (ledger, policy) = (options.guard.ledger(), options.networks);
                Self::Bridge(BridgedTap::make(ledger, tap, bridge, policy, options.search_path)?)
            }
        };
        for port in &launch.offers {
            made.offer(*port).await?;
        }
        Ok(Some(made))
    }

    /// Lets the machine reach what listens on this port of this host's loopback address. On a bridge it reaches this
    /// host as others do, and nothing of its loopback address.
    pub(crate) async fn offer(&mut self, port: u16) -> Result<(), Failure> {
        match self {
            Self::Namespace(namespace) => namespace.offer(port).await.map_err(|error| {
                let message = format!("port {port} of this host cannot be offered to the guest: {error}");
                Failure::new(Cause::NetworkSetup, message)
            }),
            Self::Bridge(_) => Ok(()),
        }
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

    /// Resolves when it broke while it was used. Cancel-safe.
    pub(crate) async fn broken(&self) {
        match self {
            Self::Namespace(namespace) => namespace.broken().await,
            Self::Bridge(_) => std::future::pending().await,
        }
    }

    /// That it broke; `None` while all is well.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Namespace(namespace) => namespace.failure(),
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

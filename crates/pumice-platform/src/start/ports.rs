//! Ports of this host that lead to a guest.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

use pumice_types::{Cause, Deadline, Failure};
use tokio::net::TcpStream;

use crate::{Launch, StartError};

/// How long a forwarded port may take to answer once the consoles are there.
const FORWARD_PATIENCE: Duration = Duration::from_secs(10);

/// Tries every forwarded port: a simulator may say nothing when it could not make one (fastmodels 6.1).
pub(super) async fn probe_forwards(launch: &Launch, deadline: &Deadline) -> Result<(), StartError> {
    for forward in &launch.forwards {
        let patience = deadline.narrowed(Instant::now(), FORWARD_PATIENCE, "the network of the simulator");
        while TcpStream::connect((Ipv4Addr::LOCALHOST, forward.host_port)).await.is_err() {
            if patience.is_over(Instant::now()) {
                let message = format!(
                    "port {} of this host does not lead to port {} of the guest: nobody answers",
                    forward.host_port, forward.guest_port
                );
                return Err(StartError::Failed(Failure::new(Cause::NetworkSetup, message)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// A simulator that says nothing when a forward fails is not asked to make one that must fail. Where we forward
/// ourselves, the ports are held instead.
pub(super) fn check_ports(launch: &Launch) -> Result<(), StartError> {
    if launch.network.is_some() {
        return Ok(());
    }
    for forward in launch.forwards.iter().chain(&launch.claims).filter(|forward| forward.host_port != 0) {
        TcpListener::bind((Ipv4Addr::LOCALHOST, forward.host_port))
            .map_err(|_| StartError::PortTaken { port: forward.host_port, guest_port: forward.guest_port })?;
    }
    Ok(())
}

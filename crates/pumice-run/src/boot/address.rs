//! Where this host is seen from a guest.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use pumice_plan::HostSeen;
use pumice_platform::bridge_address;

/// Where this host is seen from a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostAddress {
    /// Where to listen.
    pub(crate) listen: IpAddr,
    /// What the guest asks.
    pub(crate) seen: IpAddr,
}

impl HostAddress {
    /// What the plan says, with the addresses that this host has now; a host without a network has its loopback
    /// address alone.
    pub(crate) fn of(seen: &HostSeen, search_path: &str) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let own = match seen {
            HostSeen::LoopbackAt(shown) => return Self { listen: loopback, seen: IpAddr::V4(*shown) },
            HostSeen::OnBridge(bridge) => bridge_address(bridge, search_path).map(IpAddr::V4),
            HostSeen::AsOthers => None,
        };
        let own = own.or_else(own_address).unwrap_or(loopback);
        Self { listen: own, seen: own }
    }
}

/// The address that this host would speak from to the world. Nothing is sent: a datagram socket that is connected
/// only learns its own address. The other end is an address for documentation (RFC 5737).
fn own_address() -> Option<IpAddr> {
    const SOMEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(SOMEWHERE).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

//! Networks for machines of one host.
//!
//! * [`Switch`]: an Ethernet switch in user space, for the machines of a MultiNode job. No privilege, nothing of the
//!   host's own network.
//! * [`namespace`]: a tap device in a network namespace of its own, for one simulator, and the way out of it as far as
//!   [`Reach`] allows.
//! * [`bridge`]: a tap device on a bridge that the operator names.
//! * [`dhcp`]: the addresses of the first two, in a pure function.

pub mod bridge;
pub mod dhcp;
mod frame;
pub mod namespace;
mod policy;
mod program;
mod switch;

pub use policy::{Ipv4Network, NetworkPolicy, NoNetwork, Reach};
pub use switch::{Part, Switch};

/// The address of an Ethernet card.
pub type Mac = [u8; 6];

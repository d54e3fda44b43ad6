//! What machines may have of this host's networks: the operator's word.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// What machines may have of this host's networks.
#[derive(Clone, Debug, Default)]
pub struct NetworkPolicy {
    /// What those in namespaces of their own may reach beyond.
    pub reach: Reach,
    /// The bridges that tap devices may be attached to; `None` for any.
    pub bridges: Option<Vec<String>>,
}

impl NetworkPolicy {
    /// Whether a tap device may be attached to this bridge.
    pub(crate) fn allows(&self, bridge: &str) -> bool {
        self.bridges.as_ref().is_none_or(|allowed| allowed.iter().any(|one| one == bridge))
    }
}

/// What a machine in a namespace may reach beyond it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Whatever this host reaches, its own addresses included but for the loopback ones.
    #[default]
    Everything,
    /// These networks and no other; an empty list is nothing at all.
    Only(Vec<Ipv4Network>),
}

impl Reach {
    /// Whether there is no way out.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(networks) if networks.is_empty())
    }

    /// The destinations that are routed, in the words of ip-route(8).
    pub(crate) fn destinations(&self) -> Vec<String> {
        match self {
            Self::Everything => vec!["default".to_owned()],
            Self::Only(networks) => networks.iter().map(ToString::to_string).collect(),
        }
    }
}

/// An IPv4 network, `192.0.2.0/24` (RFC 4632), or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ipv4Network {
    address: Ipv4Addr,
    prefix_bits: u8,
}

/// A text that is no IPv4 network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no IPv4 network: write `192.0.2.0/24`, the bits behind the prefix all zero")]
pub struct NoNetwork(String);

impl FromStr for Ipv4Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let refused = || NoNetwork(text.to_owned());
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| refused())?;
        let prefix_bits = bits.parse().ok().filter(|bits| *bits <= 32).ok_or_else(refused)?;
        let host_bits = u32::MAX.checked_shr(u32::from(prefix_bits)).unwrap_or(0);
        if address.to_bits() & host_bits != 0 {
            return Err(refused());
        }
        Ok(Self { address, prefix_bits })
    }
}

impl fmt::Display for Ipv4Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

impl TryFrom<String> for Ipv4Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

impl From<Ipv4Network> for String {
    fn from(network: Ipv4Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<Ipv4Network>().ok().map(|network| network.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_network_has_an_address_and_a_prefix_that_fit() {
        check("192.0.2.0/24", Some("192.0.2.0/24"));
        check("198.51.100.7", Some("198.51.100.7/32"));
        check("0.0.0.0/0", Some("0.0.0.0/0"));
        check("192.0.2.1/24", None);
        check("192.0.2.0/33", None);
        check("192.0.2.0/", None);
        check("2001:db8::/32", None);
        check("example", None);
    }

    #[test]
    fn nothing_is_reached_through_an_empty_list_only() {
        assert!(Reach::Only(Vec::new()).is_nothing() && !Reach::Everything.is_nothing());
        let only = Reach::Only(vec!["192.0.2.0/24".parse().unwrap()]);
        assert!(!only.is_nothing());
        assert_eq!(only.destinations(), ["192.0.2.0/24"]);
    }
}

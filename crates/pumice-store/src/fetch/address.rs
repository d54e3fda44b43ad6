//! Which addresses jobs may talk to.
//!
//! The question is asked where a name was resolved and before anything is sent, for every request anew: a
//! name that gives another address the second time, or a redirect into the lab's own network, finds the same
//! answer.

use std::{fmt, io, net::IpAddr};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use crate::AddressPolicy;

/// Resolves as usual and leaves out the addresses that are not allowed.
pub(super) struct Guard {
    pub(super) policy: Option<AddressPolicy>,
    /// Hosts, perhaps with ports, whose addresses are not asked about.
    pub(super) allowed_servers: Vec<String>,
    pub(super) resolver: DefaultResolver,
}

/// The only addresses a name has are not allowed; this one is the first of them.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the address {0} is not allowed")]
pub(super) struct Forbidden(pub(super) IpAddr);

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let all = self.resolver.resolve(uri, config, timeout)?;
        let is_allowed = |server: &String| {
            uri.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(server))
        };
        if self.allowed_servers.iter().any(is_allowed) {
            return Ok(all);
        }
        let Some(policy) = &self.policy else { return Ok(all) };
        let mut allowed = self.empty();
        let mut forbidden = None;
        for address in &*all {
            // An IPv4 address in the clothes of IPv6 is still that address.
            let ip = address.ip().to_canonical();
            if policy(ip) {
                allowed.push(*address);
            } else {
                forbidden.get_or_insert(Forbidden(ip));
            }
        }
        match forbidden {
            Some(forbidden) if allowed.is_empty() => {
                Err(Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, forbidden)))
            }
            _ => Ok(allowed),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

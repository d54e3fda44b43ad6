//! Where a request comes from and what it calls this server, also when a proxy on this host passed it on.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Whether what it says is encrypted.
    pub(crate) is_encrypted: bool,
}

/// The front puts one into each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client's address, where it is known.
    pub(crate) client: Option<IpAddr>,
    /// The address under which the client knows this server, `https://lab.example` say.
    pub(crate) base: String,
}

impl Origin {
    /// What `X-Forwarded-For`, `-Host` and `-Proto` say is believed of a peer on this host only: anybody else could write
    /// what he likes. Of several proxies the last one's word counts, which is the last in each list.
    pub(crate) fn of(peer: Option<Peer>, headers: &HeaderMap) -> Self {
        let from_proxy = peer.is_none_or(|peer| peer.address.ip().to_canonical().is_loopback());
        let forwarded = |name: &str| {
            let value = headers.get(name).filter(|_| from_proxy)?.to_str().ok()?;
            value.rsplit(',').next().map(str::trim)
        };
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = forwarded("x-forwarded-host").or(own).unwrap_or("localhost");
        let is_encrypted = match forwarded("x-forwarded-proto") {
            Some(protocol) => protocol == "https",
            None => peer.is_some_and(|peer| peer.is_encrypted),
        };
        let scheme = if is_encrypted { "https" } else { "http" };
        let client = forwarded("x-forwarded-for").and_then(|address| address.parse().ok());
        Self { client: client.or(peer.map(|peer| peer.address.ip())), base: format!("{scheme}://{host}") }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn check(
        from: &str,
        is_encrypted: bool,
        headers: &[(&'static str, &'static str)],
        client: &str,
        base: &str,
    ) {
        let peer = Peer { address: SocketAddr::new(from.parse().unwrap(), 50000), is_encrypted };
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let origin = Origin::of(Some(peer), &pairs.collect());
        assert_eq!(origin, Origin { client: Some(client.parse().unwrap()), base: base.to_owned() });
    }

    const FORWARDED: [(&str, &str); 4] = [
        ("host", "127.0.0.1:8080"),
        ("x-forwarded-for", "192.0.2.1, 192.0.2.7"),
        ("x-forwarded-host", "lab.example"),
        ("x-forwarded-proto", "https"),
    ];

    #[test]
    fn a_proxy_on_this_host_is_believed_and_nobody_else() {
        check("127.0.0.1", false, &FORWARDED, "192.0.2.7", "https://lab.example");
        check("::ffff:127.0.0.1", false, &FORWARDED, "192.0.2.7", "https://lab.example");
        check("198.51.100.4", false, &FORWARDED, "198.51.100.4", "http://127.0.0.1:8080");
    }

    #[test]
    fn without_a_proxy_the_connection_says_it() {
        check("192.0.2.1", true, &[("host", "lab:8443")], "192.0.2.1", "https://lab:8443");
        check("192.0.2.1", false, &[("host", "lab")], "192.0.2.1", "http://lab");
        check("127.0.0.1", false, &[("x-forwarded-for", "nonsense")], "127.0.0.1", "http://localhost");
    }
}

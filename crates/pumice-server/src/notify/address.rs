//! Where callbacks may go. A job's text is hostile: it must not make the server talk to its own network.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use pumice_types::is_public_address;

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressError {
    /// It is not `http://HOST…` or `https://HOST…`.
    #[error("`{0}` is not an http or https address")]
    NotHttp(String),
    /// The operator's list does not name the host.
    #[error("callbacks to `{0}` are not allowed: the server's callback_hosts do not name it")]
    NotAllowed(String),
    /// The host is in a network that only the operator's own programs should reach.
    #[error("callbacks to `{0}` are not allowed: {1} is not a public address")]
    NotPublic(String, IpAddr),
    /// Nobody knows the host.
    #[error("`{0}` has no address")]
    Unknown(String),
}

/// Host and port of an address.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(inner) = authority.strip_prefix('[') {
        let (host, rest) = inner.split_once(']')?;
        let port = rest.strip_prefix(':').map_or(Some(default_port), |port| port.parse().ok())?;
        return Some((host.to_owned(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, default_port),
    };
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

/// Checks an address; the socket addresses it was found to mean are those that may be used.
pub(super) fn check(url: &str, allowed: &[String], private: bool) -> Result<Vec<SocketAddr>, AddressError> {
    let (host, port) = host_and_port(url).ok_or_else(|| AddressError::NotHttp(url.to_owned()))?;
    let with_port = format!("{host}:{port}");
    if !allowed.iter().any(|pattern| matches(pattern, &host) || matches(pattern, &with_port)) {
        return Err(AddressError::NotAllowed(host));
    }
    let found: Vec<_> = (host.as_str(), port).to_socket_addrs().into_iter().flatten().collect();
    if found.is_empty() {
        return Err(AddressError::Unknown(host));
    }
    match found.iter().find(|address| !private && !is_public_address(address.ip())) {
        Some(address) => Err(AddressError::NotPublic(host, address.ip())),
        None => Ok(found),
    }
}

/// Whether `pattern`, with `*` for any letters and `?` for one, is the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    fn from(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skipped| from(rest, &text[skipped..])),
            Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| from(rest, text)),
            Some((letter, rest)) => text
                .split_first()
                .is_some_and(|(first, text)| first.eq_ignore_ascii_case(letter) && from(rest, text)),
        }
    }
    from(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_url(url: &str, allowed: &str, private: bool, expected: &Result<usize, AddressError>) {
        assert_eq!(check(url, &[allowed.to_owned()], private).map(|found| found.len()), *expected, "{url}");
    }

    #[test]
    fn private_networks_are_closed_unless_opened() {
        for host in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"] {
            let refused = AddressError::NotPublic(host.to_owned(), host.parse().unwrap());
            check_url(&format!("http://{host}/x"), "*", false, &Err(refused));
        }
        let mapped = "::ffff:127.0.0.1";
        let refused = AddressError::NotPublic(mapped.to_owned(), mapped.parse().unwrap());
        check_url("http://[::ffff:127.0.0.1]:80/", "*", false, &Err(refused));
        check_url("http://127.0.0.1:8080/x", "*", true, &Ok(1));
        check_url("https://8.8.8.8/x", "*", false, &Ok(1));
    }

    #[test]
    fn only_hosts_that_are_named_and_only_http() {
        check_url("http://8.8.8.8/", "8.8.8.?", false, &Ok(1));
        check_url("http://8.8.8.8:81/", "8.8.8.8:81", false, &Ok(1));
        check_url(
            "http://user@8.8.8.8/",
            "*.example.org",
            false,
            &Err(AddressError::NotAllowed("8.8.8.8".into())),
        );
        let file = "file:///etc/passwd";
        check_url(file, "*", true, &Err(AddressError::NotHttp(file.to_owned())));
        check_url("http://", "*", true, &Err(AddressError::NotHttp("http://".to_owned())));
    }
}

//! Git repositories: git itself fetches them, and where it may go is decided here, by the same policy as for files.
//!
//! Source: git-clone(1), "Git URLs"; git-config(1), `protocol.allow`, `http.curloptResolve` and `http.followRedirects`;
//! gitremote-helpers(7) for `HELPER::ADDRESS`.

use std::{
    fs,
    net::{IpAddr, ToSocketAddrs as _},
    path::PathBuf,
};

use super::url::{Place, Url, shown_url};
use crate::{FetchError, Policy};

/// How git may reach one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Git's configuration, names and values, with which it reaches what was looked at here and nothing else.
    pub configuration: Vec<(String, String)>,
    /// Whether the operator limits what jobs fetch. Submodules, which may lie anywhere, are not to be followed then.
    pub is_limited: bool,
}

/// Decides whether a job may have the repository at `url`, which git reads as a URL, `[user@]host:path` or a path.
pub(crate) fn route(policy: &Policy, url: &str) -> Result<Route, FetchError> {
    let begin = url.split('/').next().unwrap_or_default();
    let scheme =
        |scheme: &str| FetchError::Scheme { url: shown_url(url), scheme: scheme.chars().take(40).collect() };
    if let Some((helper, _)) = begin.split_once("::") {
        return Err(scheme(&format!("{helper}::")));
    }
    let is_limited = policy.readable.is_some() || policy.is_address_allowed.is_some();
    if !is_limited {
        return Ok(Route::default());
    }
    let place = match (url.contains("://"), begin.split_once(':')) {
        (true, Some(("http" | "https" | "file", _))) => Place::parse(url)?,
        (_, None) => Place::File(PathBuf::from(url)),
        // Nothing makes git's own protocol and ssh go to the address that was looked at.
        (is_url, Some((word, _))) if policy.is_address_allowed.is_some() => {
            return Err(scheme(if is_url { word } else { "ssh" }));
        }
        (_, Some(_)) => return Ok(Route { configuration: only(&["ssh", "git"]), is_limited }),
    };
    let configuration = match place {
        Place::File(path) => {
            may_read(policy, path)?;
            only(&["file"])
        }
        Place::Http(web) => to_web(policy, &web)?,
    };
    Ok(Route { configuration, is_limited })
}

/// No transport but these.
fn only(schemes: &[&str]) -> Vec<(String, String)> {
    let allow = |scheme: &&str| (format!("protocol.{scheme}.allow"), "always".to_owned());
    std::iter::once(("protocol.allow".to_owned(), "never".to_owned()))
        .chain(schemes.iter().map(allow))
        .collect()
}

fn may_read(policy: &Policy, path: PathBuf) -> Result<(), FetchError> {
    let Some(readable) = &policy.readable else { return Ok(()) };
    let whole = fs::canonicalize(&path).map_err(|source| FetchError::File { path, source })?;
    if readable.iter().any(|directory| whole.starts_with(directory)) {
        Ok(())
    } else {
        Err(FetchError::FileForbidden(whole))
    }
}

/// The name is resolved once, and git is told the answer: it could be another one the second time.
fn to_web(policy: &Policy, url: &Url) -> Result<Vec<(String, String)>, FetchError> {
    let mut configuration = only(&["http", "https"]);
    let Some(is_allowed) = &policy.is_address_allowed else { return Ok(configuration) };
    configuration.push(("http.followRedirects".to_owned(), "false".to_owned()));
    if policy.allowed_servers.iter().any(|server| server.eq_ignore_ascii_case(url.authority())) {
        return Ok(configuration);
    }
    let (host, port) = url.host_and_port();
    let found = (host, port).to_socket_addrs().map_err(|error| FetchError::Failed {
        url: url.to_string(),
        attempts: 1,
        reason: error.to_string(),
    })?;
    let (allowed, forbidden): (Vec<IpAddr>, Vec<IpAddr>) =
        found.map(|address| address.ip().to_canonical()).partition(|address| is_allowed(*address));
    if let (true, Some(address)) = (allowed.is_empty(), forbidden.first()) {
        return Err(FetchError::AddressForbidden { url: url.to_string(), address: *address });
    }
    let addresses: Vec<String> = allowed
        .iter()
        .map(|address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        })
        .collect();
    let pinned = format!("{host}:{port}:{}", addresses.join(","));
    configuration.push(("http.curloptResolve".to_owned(), pinned));
    Ok(configuration)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[track_caller]
    fn check(policy: &Policy, url: &str, expected: Result<&[&str], &str>) {
        let said = route(policy, url).map_err(|error| error.to_string());
        let shown = said.map(|route| {
            let pairs = route.configuration.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join(" ")
        });
        assert_eq!(shown, expected.map(|words| words.join(" ")).map_err(str::to_owned), "{url}");
    }

    #[test]
    fn git_goes_where_jobs_may_fetch_and_nowhere_else() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        fs::create_dir(root.join("open")).unwrap();
        std::os::unix::fs::symlink("/usr", root.join("open/out")).unwrap();
        let open = root.join("open").display().to_string();
        let public: crate::AddressPolicy = Arc::new(|address| !address.is_loopback());
        let policy = Policy {
            readable: Some(vec![root.join("open")]),
            is_address_allowed: Some(public),
            allowed_servers: vec!["127.0.0.1:8000".to_owned()],
            ..Policy::default()
        };
        let file = ["protocol.allow=never", "protocol.file.allow=always"];
        check(&policy, &open, Ok(&file));
        check(&policy, &format!("file://{open}"), Ok(&file));
        let outside = "`/usr` is outside the directories that jobs may read";
        check(&policy, &format!("{open}/out"), Err(outside));
        check(&policy, "file:///usr", Err(outside));
        check(
            &policy,
            &format!("{open}/../.."),
            Err(&format!(
                "`{}` is outside the directories that jobs may read",
                root.parent().unwrap().display()
            )),
        );
        let forbidden = "`http://127.0.0.1:1/x` is at the address 127.0.0.1, which jobs may not use";
        check(&policy, "http://user:password@127.0.0.1:1/x", Err(forbidden));
        check(
            &policy,
            "https://[::1]/x",
            Err("`https://[::1]/x` is at the address ::1, which jobs may not use"),
        );
        let web = [
            "protocol.allow=never",
            "protocol.http.allow=always",
            "protocol.https.allow=always",
            "http.followRedirects=false",
        ];
        check(&policy, "http://127.0.0.1:8000/x", Ok(&web));
        check(
            &policy,
            "https://192.0.2.7/x",
            Ok(&[&web[..], &["http.curloptResolve=192.0.2.7:443:192.0.2.7"]].concat()),
        );
        let unsupported = |scheme: &str, url: &str| {
            format!("`{url}` cannot be fetched: the scheme `{scheme}` is not supported")
        };
        for (url, scheme) in [("ssh://h/x", "ssh"), ("git://h/x", "git"), ("rsync://h/x", "rsync")] {
            check(&policy, url, Err(&unsupported(scheme, url)));
        }
        check(&policy, "git@h:x", Err(&unsupported("ssh", "h:x")));
    }

    #[test]
    fn a_program_is_never_a_way_to_a_repository() {
        for policy in [Policy::default(), Policy { readable: Some(Vec::new()), ..Policy::default() }] {
            let url = "ext::sh -c id";
            let refused = "`ext::sh -c id` cannot be fetched: the scheme `ext::` is not supported";
            check(&policy, url, Err(refused));
        }
        check(&Policy::default(), "git@host:x", Ok(&[""]));
        check(&Policy::default(), "/any/where", Ok(&[""]));
    }
}

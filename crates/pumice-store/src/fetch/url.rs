//! URLs: taken apart, joined with a redirect, and shown without what is secret.

use std::{ffi::OsString, fmt, os::unix::ffi::OsStringExt, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;

use crate::FetchError;

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On a web server.
    Http(Url),
    /// On this host.
    File(PathBuf),
}

/// A URL of a web server (RFC 3986), in the parts that matter to us. A fragment is left out.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url {
    is_secure: bool,
    /// Host and port, without user and password.
    authority: String,
    /// Path, beginning with `/`.
    path: String,
    /// Query, with its `?`, or empty.
    query: String,
    /// `user:password`, decoded.
    user: Option<Vec<u8>>,
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let url = || shown_url(text);
        let error = |why| FetchError::Url { url: url(), why };
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(error("it has no scheme; write for example `file:///path` or `https://host/path`"));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Url::parse(false, rest).map(Self::Http).map_err(error),
            "https" => Url::parse(true, rest).map(Self::Http).map_err(error),
            "file" => file_path(rest).map(Self::File).map_err(error),
            scheme => Err(FetchError::Scheme { url: url(), scheme: scheme.chars().take(40).collect() }),
        }
    }

    /// The last component of the path, decoded; `artifact` where there is none.
    pub(super) fn file_name(&self) -> String {
        let name = match self {
            Self::Http(url) => {
                let last = url.path.rsplit('/').next().unwrap_or_default();
                percent_decode_str(last).decode_utf8_lossy().into_owned()
            }
            Self::File(path) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        };
        let is_plain = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']);
        if is_plain { name } else { "artifact".to_owned() }
    }
}

impl Url {
    /// Reads what follows the scheme and its colon.
    fn parse(is_secure: bool, rest: &str) -> Result<Self, &'static str> {
        let rest = rest.strip_prefix("//").ok_or("`//` and a host must follow the scheme")?;
        if rest.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err("it holds a space or a control character; write it as %20 and so on");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(percent_decode_str(user).collect()), authority),
            None => (None, authority),
        };
        if authority.is_empty() || authority.starts_with(':') {
            return Err("it has no host");
        }
        let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            is_secure,
            authority: authority.to_ascii_lowercase(),
            path: path.to_owned(),
            query: query.to_owned(),
            user,
        })
    }

    /// Where a redirect leads: `location` as the server wrote it (RFC 9110, 10.2.2; RFC 3986, 5.2).
    pub(super) fn join(&self, location: &str) -> Result<Self, FetchError> {
        let error = |why| FetchError::Url { url: shown_url(location), why };
        if has_scheme(location) {
            return match Place::parse(location)? {
                Place::Http(url) => Ok(url),
                Place::File(_) => Err(error("a web server redirects to a file of this host")),
            };
        }
        if location.starts_with("//") {
            return Self::parse(self.is_secure, location).map_err(error);
        }
        let location = location.split('#').next().unwrap_or_default();
        let (path, query) = location.split_at(location.find('?').unwrap_or(location.len()));
        let path = if path.starts_with('/') {
            without_dots(path)
        } else if path.is_empty() {
            self.path.clone()
        } else {
            let directory = &self.path[..=self.path.rfind('/').unwrap_or(0)];
            without_dots(&format!("{directory}{path}"))
        };
        Ok(Self { path, query: query.to_owned(), ..self.clone() })
    }

    /// Whether what is told to one may be told to the other.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.is_secure, &self.authority) == (other.is_secure, &other.authority)
    }

    /// The value of an `Authorization` header for the user in the URL (RFC 7617).
    pub(super) fn authorization(&self) -> Option<String> {
        self.user.as_ref().map(|user| format!("Basic {}", STANDARD.encode(user)))
    }

    /// As it is asked for: without user and password.
    pub(super) fn to_request(&self) -> String {
        format!("{}://{}{}{}", self.scheme(), self.authority, self.path, self.query)
    }

    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

/// As messages show it: no password, no query, both of which may be secret.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.path)?;
        if self.query.is_empty() { Ok(()) } else { f.write_str("?…") }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL as messages show it, whatever it is: no password, no query, not endless.
pub fn shown_url(url: &str) -> String {
    let (begin, rest) = url.split_once("//").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    let query = if query.is_empty() { "" } else { "?…" };
    let slashes = if begin.is_empty() { "" } else { "//" };
    let text: String = format!("{begin}{slashes}{authority}{path}").chars().take(300).collect();
    format!("{}{query}", text.escape_debug())
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// The path of a `file` URL (RFC 8089): absolute, on this host.
fn file_path(rest: &str) -> Result<PathBuf, &'static str> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").filter(|rest| rest.starts_with('/')).unwrap_or(rest),
        None => rest,
    };
    if !path.starts_with('/') {
        return Err("a `file` URL must hold an absolute path: `file:///path`");
    }
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    if bytes.contains(&0) {
        return Err("it holds a NUL byte");
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// Resolves `.` and `..` in an absolute path (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let names: Vec<&str> = path.split('/').skip(1).collect();
    for (index, name) in names.iter().enumerate() {
        let is_last = index + 1 == names.len();
        match *name {
            "." if is_last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if is_last {
                    kept.push("");
                }
            }
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn http(text: &str) -> Url {
        match Place::parse(text).unwrap() {
            Place::Http(url) => url,
            Place::File(path) => panic!("{path:?}"),
        }
    }

    #[test]
    fn a_redirect_is_joined_as_the_standard_says() {
        let base = http("http://host/a/b/c?q=1");
        for (location, expected) in [
            ("https://other:8080/x", "https://other:8080/x"),
            ("//other/x?y", "http://other/x?y"),
            ("/x/./y/../z", "http://host/x/z"),
            ("d", "http://host/a/b/d"),
            ("../../../d/..", "http://host/"),
            ("?z", "http://host/a/b/c?z"),
            ("#part", "http://host/a/b/c"),
        ] {
            assert_eq!(base.join(location).unwrap().to_request(), expected, "{location}");
        }
        assert!(base.join("file:///etc/passwd").is_err());
        assert!(base.join("http://").is_err());
    }

    #[test]
    fn passwords_and_queries_are_never_shown() {
        let text = "https://jo:s%40fe@Host:8080/dir/a%20b.gz?token=secret#x";
        let url = http(text);
        assert_eq!(url.to_request(), "https://host:8080/dir/a%20b.gz?token=secret");
        assert_eq!(url.authorization().as_deref(), Some("Basic am86c0BmZQ=="));
        for shown in [url.to_string(), format!("{url:?}"), shown_url(text).to_lowercase()] {
            assert_eq!(shown, "https://host:8080/dir/a%20b.gz?…");
        }
        assert_eq!(Place::Http(url).file_name(), "a b.gz");
    }

    #[test]
    fn file_urls_hold_absolute_paths() {
        let path = |text: &str| Place::parse(text).map(|place| place.file_name());
        assert_eq!(path("file:///a/b%20c").unwrap(), "b c");
        assert_eq!(path("file://localhost/a/b").unwrap(), "b");
        assert_eq!(path("file:/a").unwrap(), "a");
        assert!(path("file://a/b").is_err());
        assert_eq!(path("http://host").unwrap(), "artifact");
        assert_eq!(path("http://host/..").unwrap(), "artifact");
    }

    #[test]
    fn what_is_no_url_is_said_so() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Place::parse(text).unwrap_err().to_string(), expected);
        };
        check(
            "rootfs.img",
            "`rootfs.img` cannot be fetched: it has no scheme; write for example `file:///path` or \
             `https://host/path`",
        );
        check("http:///x", "`http:///x` cannot be fetched: it has no host");
        check("scp://a@b/c", "`scp://b/c` cannot be fetched: the scheme `scp` is not supported");
        check(
            "http://h/a b",
            "`http://h/a b` cannot be fetched: it holds a space or a control character; write it as %20 and so on",
        );
    }
}

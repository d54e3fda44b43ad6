//! One server: its address, our credentials, and requests to it.

use std::{
    io::{self, Read as _, Write},
    path::PathBuf,
    time::Duration,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent,
    http::{HeaderMap, Request, Uri},
    tls::{Certificate, PemItem, RootCerts, TlsConfig},
};

use crate::error::{ClientError, problem};

/// The largest answer that is read as a whole, in bytes: a page of a thousand jobs with their definitions.
const LARGEST_ANSWER: u64 = 256 << 20;

/// How long a download may take in all.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(24 * 3600);

/// The address of a server: `http` or `https`, a host, perhaps a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

/// Where a token may be sent without encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// To this very host only.
    #[default]
    Loopback,
    /// Anywhere: the operator says that the network is safe.
    Anywhere,
}

impl Address {
    /// Reads an address. A plain one of another host is only accepted when `plain` says so.
    pub fn parse(text: &str, plain: PlainHttp) -> Result<Self, ClientError> {
        let refuse = |reason| ClientError::Address { address: text.to_owned(), reason };
        let uri: Uri = text.trim().parse().map_err(|_| refuse("it is not a URL"))?;
        let host = uri.host().ok_or_else(|| refuse("it names no host"))?;
        let is_loopback = matches!(host, "localhost" | "[::1]" | "::1") || host.starts_with("127.");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback || plain == PlainHttp::Anywhere => {}
            Some("http") => return Err(refuse("a token would travel in the clear; use https")),
            _ => return Err(refuse("it begins with neither https:// nor http://")),
        }
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(refuse("it has a query or a password in it"));
        }
        Ok(Self(text.trim().trim_end_matches('/').to_owned()))
    }

    /// The text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What proves who we are.
#[derive(Clone)]
pub enum Credentials {
    /// Nothing.
    None,
    /// `Authorization: Bearer …`, our workers.
    Bearer(String),
    /// `Authorization: Token …`, LAVA's REST API (lava-compat 7.1).
    Token(String),
    /// `LAVA-Token: …`, LAVA's workers (lava-compat 6.3).
    LavaToken(String),
}

/// Never shows the secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer",
            Self::Token(_) => "Token",
            Self::LavaToken(_) => "LavaToken",
        })
    }
}

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address.
    pub address: Address,
    /// What proves who we are.
    pub credentials: Credentials,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// Certificates to trust instead of those of the public authorities, PEM.
    pub certificates: Option<PathBuf>,
    /// How long one request may take, waiting aside.
    pub timeout: Duration,
}

impl Options {
    /// The usual ones.
    pub fn new(address: Address, credentials: Credentials) -> Self {
        Self {
            address,
            credentials,
            user_agent: concat!("pumice/", env!("CARGO_PKG_VERSION")).to_owned(),
            certificates: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A server that requests can be sent to. Connections are kept and used again.
#[derive(Clone, Debug)]
pub struct Connection {
    agent: Agent,
    options: Options,
}

/// What a request carries.
pub(crate) enum Body<'a> {
    None,
    Json(Vec<u8>),
    Form(String),
    Bytes(&'a [u8]),
}

impl Body<'_> {
    pub(crate) fn json(value: &impl Serialize) -> Self {
        // A wire type of ours always serialises: its maps have string keys and its numbers are finite.
        Self::Json(serde_json::to_vec(value).unwrap_or_default())
    }
}

/// What came back, its status being below 400.
pub(crate) struct Reply {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::Unreadable { url: self.url.clone(), reason: error.to_string() })
    }

    pub(crate) fn says(&self, header: &str) -> bool {
        self.headers.get(header).is_some_and(|value| value == "true")
    }
}

impl Connection {
    /// Prepares requests to a server; sends nothing yet.
    pub fn new(options: Options) -> Result<Self, ClientError> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &options.certificates {
            let refuse =
                |reason: String| ClientError::Certificates { path: path.display().to_string(), reason };
            let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
            let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(error) => Some(Err(refuse(error.to_string()))),
                })
                .collect::<Result<_, _>>()?;
            if certificates.is_empty() {
                return Err(refuse("there is none".to_owned()));
            }
            tls = tls.root_certs(RootCerts::from(certificates));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(options.user_agent.clone())
            .accept("application/json, */*")
            .timeout_connect(Some(Duration::from_secs(10)))
            .tls_config(tls.build())
            .build()
            .new_agent();
        Ok(Self { agent, options })
    }

    /// The same server with other credentials.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        Self { agent: self.agent.clone(), options: Options { credentials, ..self.options.clone() } }
    }

    /// Sends a request for `path` below the server's address, which may take `wait` longer than usual.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Body<'_>,
        wait: Duration,
    ) -> Result<Reply, ClientError> {
        let url = format!("{}{path}", self.options.address.as_str());
        let unreachable = |error: ureq::Error| ClientError::Unreachable {
            url: without_query(&url).to_owned(),
            source: Box::new(error),
        };
        let request = self.authorised(method, &url);
        let limit = self.options.timeout + wait;
        let response = match body {
            Body::None => request.body(()).map_err(ureq::Error::from).and_then(|r| self.run(r, limit)),
            Body::Json(bytes) => request
                .header("content-type", "application/json")
                .body(bytes)
                .map_err(ureq::Error::from)
                .and_then(|r| self.run(r, limit)),
            Body::Form(text) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(text)
                .map_err(ureq::Error::from)
                .and_then(|r| self.run(r, limit)),
            Body::Bytes(bytes) => request
                .header("content-type", "application/octet-stream")
                .body(bytes)
                .map_err(ureq::Error::from)
                .and_then(|r| self.run(r, limit)),
        };
        let (parts, answer) = response.map_err(unreachable)?.into_parts();
        let mut bytes = Vec::new();
        answer
            .into_with_config()
            .limit(LARGEST_ANSWER)
            .reader()
            .read_to_end(&mut bytes)
            .map_err(|error| unreachable(ureq::Error::from(error)))?;
        let status = parts.status.as_u16();
        let url = without_query(&url).to_owned();
        match status {
            200..300 => Ok(Reply { url, headers: parts.headers, body: bytes }),
            300..400 => {
                let to = parts.headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
                Err(ClientError::Unreadable {
                    url,
                    reason: format!("it redirects to {to}; use that address"),
                })
            }
            _ => Err(ClientError::Refused { url, status, problem: problem(status, &bytes) }),
        }
    }

    /// Copies what is at `path` to `sink`, from byte `from` on, and answers how many bytes that were. Where the server
    /// sends the whole thing all the same, what came before is read and thrown away.
    pub(crate) fn download(&self, path: &str, from: u64, sink: &mut dyn Write) -> Result<u64, ClientError> {
        let url = format!("{}{path}", self.options.address.as_str());
        let unreachable = |error| ClientError::Unreachable { url: url.clone(), source: Box::new(error) };
        let request = self.authorised("GET", &url).header("range", format!("bytes={from}-")).body(());
        let response = request
            .map_err(ureq::Error::from)
            .and_then(|request| self.run(request, LONGEST_DOWNLOAD))
            .map_err(unreachable)?;
        let (parts, body) = response.into_parts();
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let copied = match parts.status.as_u16() {
            206 => io::copy(&mut reader, sink),
            200 => io::copy(&mut (&mut reader).take(from), &mut io::sink())
                .and_then(|_| io::copy(&mut reader, sink)),
            // All of it is here already.
            416 => Ok(0),
            status => {
                let mut said = Vec::new();
                // What a refusal says beyond this is of no use.
                drop(reader.take(1 << 16).read_to_end(&mut said));
                return Err(ClientError::Refused { problem: problem(status, &said), url, status });
            }
        };
        copied.map_err(|error| unreachable(ureq::Error::from(error)))
    }

    fn authorised(&self, method: &str, url: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(url);
        match &self.options.credentials {
            Credentials::None => request,
            Credentials::Bearer(secret) => request.header("authorization", format!("Bearer {secret}")),
            Credentials::Token(secret) => request.header("authorization", format!("Token {secret}")),
            Credentials::LavaToken(secret) => request.header("lava-token", secret),
        }
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: Request<B>,
        limit: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self.agent.configure_request(request).timeout_global(Some(limit)).build();
        self.agent.run(request)
    }
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// All that stands in an address or a form as `%XX`: everything but the unreserved characters (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` as one component of an address or a form.
pub(crate) fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// `a=1&b=2`, encoded.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        fields.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_would_leak_a_token_or_cannot_be_joined_are_refused() {
        let good = |text, plain| Address::parse(text, plain).unwrap().0;
        assert_eq!(good("https://lab.example.org/", PlainHttp::Loopback), "https://lab.example.org");
        assert_eq!(good("http://127.0.0.1:8000", PlainHttp::Loopback), "http://127.0.0.1:8000");
        assert_eq!(good("http://lab/sub/", PlainHttp::Anywhere), "http://lab/sub");
        for bad in ["lab.example.org", "http://lab", "ftp://lab", "https://u:p@lab", "https://lab/?x=1", ""] {
            assert!(Address::parse(bad, PlainHttp::Loopback).is_err(), "{bad}");
        }
    }

    #[test]
    fn forms_survive_every_byte() {
        assert_eq!(
            form(&[("lines", "- {\"a\": 1}\n"), ("i", "é")]),
            "lines=-%20%7B%22a%22%3A%201%7D%0A&i=%C3%A9"
        );
    }
}

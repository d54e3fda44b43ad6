//! One request over HTTP, with its redirects.

use std::{
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ureq::{
    Agent, Body, Timeout,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
    unversioned::{resolver::DefaultResolver, transport::DefaultConnector},
};

use super::{
    Fetch,
    address::{Forbidden, Guard},
    attempts::Transient,
    url::Url,
};
use crate::{Control, FetchError, Policy};

/// Where hosts keep the certificates they trust: Debian, Fedora, Alpine and others.
const CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Why there is no answer.
pub(super) enum GetError {
    /// It may go better the next time.
    Transient(Transient),
    /// It will not.
    Final(FetchError),
}

impl From<FetchError> for GetError {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

/// Connections of one fetch.
pub(super) struct Client<'a> {
    fetch: &'a Fetch<'a>,
    /// Made when they are needed: reading certificates takes longer than a small file.
    plain: Option<Agent>,
    secure: Option<Agent>,
}

impl<'a> Client<'a> {
    pub(super) fn new(fetch: &'a Fetch<'a>) -> Self {
        Self { fetch, plain: None, secure: None }
    }

    /// The fetch it is for.
    pub(super) fn fetch(&self) -> &'a Fetch<'a> {
        self.fetch
    }

    /// Everything that interrupts a request in flight when it is called.
    pub(super) fn interrupt(&self) -> impl FnOnce() + Send + 'static + use<> {
        let agents = [self.plain.clone(), self.secure.clone()];
        move || agents.into_iter().flatten().for_each(Agent::shutdown)
    }

    /// Asks for `url` with the job's headers and `extra` ones, follows redirects, and gives an answer of the
    /// kinds 200, 206 and 304.
    pub(super) fn get(
        &mut self,
        url: &Url,
        extra: &[(HeaderName, String)],
        control: &mut Control<'_>,
    ) -> Result<Response<Body>, GetError> {
        let mut here = url.clone();
        for _ in 0..=self.fetch.policy.redirects {
            let mut headers = self.job_headers(url, &here)?;
            for (name, value) in extra {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(name, value);
                }
            }
            let response = self.call(&here, &headers, control)?;
            let status = response.status();
            match status.as_u16() {
                200 | 206 | 304 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => {
                    let location = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
                    let Some(location) = location else {
                        return Err(refused(&here, status));
                    };
                    here = here.join(location)?;
                }
                408 | 413 | 425 | 429 | 500..=599 => {
                    return Err(GetError::Transient(Transient {
                        reason: format!("the server answered {status}"),
                        retry_after: retry_after(response.headers()),
                    }));
                }
                _ => return Err(refused(&here, status)),
            }
        }
        let (url, count) = (self.fetch.shown.clone(), self.fetch.policy.redirects);
        Err(FetchError::Redirects { url, count: count + 1 }.into())
    }

    /// The job's headers, for its own host only: a redirect must not carry a token away.
    fn job_headers(&self, url: &Url, here: &Url) -> Result<HeaderMap, FetchError> {
        let mut headers = HeaderMap::new();
        if url.is_same_origin(here) {
            if let Some(value) = url.authorization().and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(header::AUTHORIZATION, value);
            }
            for (name, value) in &self.fetch.request.headers {
                let why = "one of its `headers` holds a character that HTTP does not allow";
                let error = || FetchError::Url { url: self.fetch.shown.clone(), why };
                let name: HeaderName = name.parse().map_err(|_| error())?;
                headers.append(name, HeaderValue::from_str(value).map_err(|_| error())?);
            }
        } else if let Some(value) = here.authorization().and_then(|value| HeaderValue::from_str(&value).ok())
        {
            headers.insert(header::AUTHORIZATION, value);
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok(headers)
    }

    fn call(
        &mut self,
        url: &Url,
        headers: &HeaderMap,
        control: &mut Control<'_>,
    ) -> Result<Response<Body>, GetError> {
        self.fetch.check(control, "the server to answer")?;
        let agent = self.agent(url.is_secure())?;
        let mut request = agent.get(url.to_request());
        if let Some(target) = request.headers_mut() {
            target.extend(headers.clone());
        }
        let left = control.deadline.remaining(Instant::now()).max(Duration::from_millis(1));
        let request = request.config().timeout_global(Some(left)).build();
        let interrupt = self.interrupt();
        let on_cancel = control.cancel.on_cancel(interrupt);
        let result = request.call();
        drop(on_cancel);
        result.map_err(|error| self.explain(&error, url, control))
    }

    fn agent(&mut self, is_secure: bool) -> Result<Agent, FetchError> {
        let place = if is_secure { &mut self.secure } else { &mut self.plain };
        if let Some(agent) = place {
            return Ok(agent.clone());
        }
        let policy = self.fetch.policy;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("pumice/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(policy.connect))
            .timeout_per_read(Some(policy.stall))
            .timeout_per_write(Some(policy.stall));
        if is_secure {
            config = config.tls_config(TlsConfig::builder().root_certs(roots(policy)?).build());
        }
        let guard = Guard {
            policy: policy.is_address_allowed.clone(),
            allowed_servers: policy.allowed_servers.clone(),
            resolver: DefaultResolver::default(),
        };
        let agent = Agent::with_parts(config.build(), DefaultConnector::default(), guard);
        Ok(place.insert(agent).clone())
    }

    /// Whether what went wrong is worth another attempt, in words of ours.
    pub(super) fn explain(&self, error: &ureq::Error, url: &Url, control: &Control<'_>) -> GetError {
        if let Err(error) = self.fetch.check(control, "the server") {
            return error.into();
        }
        let failed = |reason: String| {
            GetError::Final(FetchError::Failed { url: self.fetch.shown.clone(), attempts: 1, reason })
        };
        match error {
            ureq::Error::Io(error) => match forbidden(error) {
                Some(Forbidden(address)) => {
                    FetchError::AddressForbidden { url: url.to_string(), address }.into()
                }
                // How a failed handshake of TLS looks from outside: trying again changes nothing.
                None if error.kind() == io::ErrorKind::InvalidData => failed(explain_io(error)),
                None => GetError::Transient(Transient::new(explain_io(error))),
            },
            ureq::Error::Timeout(Timeout::Global | Timeout::PerCall) => {
                self.fetch.timed_out(control, "the server").into()
            }
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                let seconds = self.fetch.policy.connect.as_secs();
                GetError::Transient(Transient::new(format!("no connection after {seconds} seconds")))
            }
            ureq::Error::Timeout(_) => {
                let seconds = self.fetch.policy.stall.as_secs();
                GetError::Transient(Transient::new(format!("the server was silent for {seconds} seconds")))
            }
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                GetError::Transient(Transient::new(error.to_string()))
            }
            ureq::Error::Protocol(error) => {
                GetError::Transient(Transient::new(format!("the answer is not HTTP: {error}")))
            }
            // Its words would show the URL with everything in it.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                let why = "HTTP does not know such a URL";
                FetchError::Url { url: self.fetch.shown.clone(), why }.into()
            }
            other => failed(other.to_string()),
        }
    }
}

/// An answer that ends it.
fn refused(here: &Url, status: StatusCode) -> GetError {
    FetchError::Refused { url: here.to_string(), status: status.as_u16() }.into()
}

/// The refusal of our own resolver, however deep it is wrapped.
fn forbidden(error: &io::Error) -> Option<Forbidden> {
    error.get_ref()?.downcast_ref().copied()
}

/// The words of the system, which are good enough, where it has some.
fn explain_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the connection was closed too early".to_owned(),
        _ => error.to_string(),
    }
}

/// How long the server asks us to wait; the form with a date is not looked at.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The certificates to trust.
fn roots(policy: &Policy) -> Result<RootCerts, FetchError> {
    let found = CERTIFICATES.iter().find_map(|path| fs::read(Path::new(path)).ok());
    let Some(path) = &policy.certificates else {
        return Ok(found.map_or(RootCerts::WebPki, |pem| specific(&pem)));
    };
    let more = fs::read(path).map_err(|source| FetchError::File { path: path.clone(), source })?;
    Ok(specific(&[found.unwrap_or_default(), more].join(&b'\n')))
}

fn specific(pem: &[u8]) -> RootCerts {
    let certificates: Vec<Certificate<'static>> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    RootCerts::Specific(Arc::new(certificates))
}

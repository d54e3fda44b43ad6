//! Reaching an S3-compatible store. Requests go through the HTTP client that this program has anyway.

use std::{future::Future, io::Read as _, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body;
use object_store::{
    ClientOptions, ObjectStore, Result,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use thiserror::Error;
use ureq::{Agent, http::Request};

/// How long one request may take: pieces have 8 MiB.
const LONGEST: Duration = Duration::from_secs(300);

/// Why a store cannot be used.
#[derive(Debug, Error)]
pub enum S3Error {
    /// The address is not understood.
    #[error("`{0}` is no place in an S3 store: write `s3://BUCKET/PREFIX`")]
    Address(String),
    /// What the environment says of it is missing or wrong.
    #[error("the S3 store cannot be used")]
    Store(#[from] object_store::Error),
}

/// The store and the prefix that `s3://BUCKET/PREFIX` names. Who we are, and where the store is when it is not Amazon's, the
/// variables say: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`; others are left
/// alone.
pub fn open(
    address: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, String), S3Error> {
    let invalid = || S3Error::Address(address.to_owned());
    let rest = address.strip_prefix("s3://").ok_or_else(invalid)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(invalid());
    }
    let known = variables.into_iter().filter(|(name, _)| name.starts_with("AWS_"));
    let known = known.filter_map(|(name, value)| {
        Some((name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().ok()?, value))
    });
    let builder = known.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
    let store = builder.with_bucket_name(bucket).with_http_connector(Connector).build()?;
    Ok((Arc::new(store), prefix.trim_matches('/').to_owned()))
}

#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(LONGEST))
            .build()
            .new_agent();
        Ok(HttpClient::new(Service(agent)))
    }
}

#[derive(Debug)]
struct Service(Agent);

impl Service {
    /// Sends a request. It may block: the store's methods are called where that is allowed.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await;
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let sent = self.0.run(Request::from_parts(parts, body.to_vec()));
        let (parts, answer) = sent.map_err(failed)?.into_parts();
        let mut bytes = Vec::new();
        let read = answer.into_with_config().limit(u64::MAX).reader().read_to_end(&mut bytes);
        read.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?;
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(HttpRequestBody::from(bytes))))
    }
}

fn failed(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => HttpErrorKind::Connect,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            HttpErrorKind::Connect
        }
        ureq::Error::Io(_) | ureq::Error::Protocol(_) => HttpErrorKind::Request,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

impl HttpService for Service {
    // What `async_trait` makes of an `async fn`.
    fn call<'service, 'sending>(
        &'service self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'sending>>
    where
        'service: 'sending,
        Self: 'sending,
    {
        Box::pin(self.send(request))
    }
}

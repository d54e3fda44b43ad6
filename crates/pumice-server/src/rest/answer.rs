//! How REST answers and refuses, in Django REST framework's form.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{list::encoded, multipart};
use crate::{
    access::{Credentials, Identity, LoginError},
    app::Shared,
    refusal::Refusal,
};

/// A refusal with the body that clients read: `{"detail": …}`, and `{"message": …}` where LAVA has that.
#[derive(Debug)]
pub(crate) struct Refused {
    refusal: Refusal,
    key: &'static str,
}

impl Refused {
    /// With LAVA's other key.
    pub(crate) fn as_message(refusal: Refusal) -> Self {
        Self { refusal, key: "message" }
    }
}

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        Self { refusal: refusal.into(), key: "detail" }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.refusal.log();
        let status = StatusCode::from_u16(self.refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(json!({ self.key: self.refusal.public_message() }))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Token"));
        }
        response
    }
}

/// What a handler answers.
pub(crate) type Answer<T = Json<Value>> = Result<T, Refused>;

/// Who asks.
#[derive(Clone)]
pub(crate) struct Who(pub(crate) Arc<Identity>);

impl std::ops::Deref for Who {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl FromRequestParts<Arc<Shared>> for Who {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let credentials = Credentials::of(&parts.headers, parts.uri.query());
        let is_session = matches!(credentials, Credentials::Session(_));
        let who = match credentials.identify(&shared.database, shared.clock).await {
            Ok(who) => who,
            Err(LoginError::InvalidToken) => {
                return Err(Refusal::LoginRequired("Invalid token.".to_owned()).into());
            }
            Err(LoginError::Failed(refusal)) => return Err(refusal.into()),
        };
        // A page of somebody else could send a form with our cookie, but not this header (CSRF).
        let changes = !matches!(parts.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        if is_session && changes && !parts.headers.contains_key("x-requested-with") {
            return Err(Refusal::Forbidden("CSRF Failed: send X-Requested-With.".to_owned()).into());
        }
        if who.user.is_none() && shared.config.require_login {
            return Err(
                Refusal::LoginRequired("Authentication credentials were not provided.".to_owned()).into()
            );
        }
        Ok(Self(Arc::new(who)))
    }
}

/// A body: JSON, or a form in either of its two shapes, as clients of Django send them.
pub(crate) struct Body<T>(pub(crate) T);

const FORM: &str = "application/x-www-form-urlencoded";

/// The same form in the shape that axum reads.
async fn as_urlencoded(request: Request, kind: &str, shared: &Arc<Shared>) -> Result<Request, Refused> {
    let method = request.method().clone();
    let bytes = Bytes::from_request(request, shared).await;
    let bytes = bytes.map_err(|error| Refusal::Invalid(error.body_text()))?;
    let fields = multipart::fields(kind, &bytes)
        .ok_or_else(|| Refusal::Invalid("The form cannot be read (RFC 7578).".to_owned()))?;
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let request = Request::builder().method(method).header(header::CONTENT_TYPE, FORM);
    let request = request.body(pairs.join("&").into());
    Ok(request.map_err(|error| Refusal::Internal(error.to_string()))?)
}

impl<T: DeserializeOwned + 'static> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let is_multipart = kind.starts_with("multipart/form-data");
        if is_multipart || kind.starts_with(FORM) {
            let request = if is_multipart { as_urlencoded(request, &kind, shared).await? } else { request };
            let form = axum::Form::<T>::from_request(request, shared).await;
            return form.map(|form| Self(form.0)).map_err(|error| Refusal::Invalid(error.body_text()).into());
        }
        match Json::<T>::from_request(request, shared).await {
            Ok(body) => Ok(Self(body.0)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Refusal::Invalid("Send JSON, with Content-Type: application/json.".to_owned()).into())
            }
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refusal::Invalid("The body is too large.".to_owned()).into())
            }
            Err(error) => Err(Refusal::Invalid(error.body_text()).into()),
        }
    }
}

/// A text in an answer, with its type.
pub(crate) fn text(kind: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// LAVA's words for a job that is not there.
pub(crate) fn no_job(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Missing(_) => Refusal::Missing("No TestJob matches the given query.".to_owned()).into(),
        other => other.into(),
    }
}

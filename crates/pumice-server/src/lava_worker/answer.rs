//! How LAVA's protocol answers: JSON, errors as `{"error": text}`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// A refusal.
#[derive(Debug)]
pub(super) struct Error(pub(super) StatusCode, pub(super) String);

impl Error {
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, message.into())
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self(StatusCode::FORBIDDEN, message.into())
    }
}

impl<T: Into<Refusal>> From<T> for Error {
    fn from(refusal: T) -> Self {
        let refusal = refusal.into();
        refusal.log();
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(status, refusal.public_message())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

/// What a handler answers.
pub(super) type Answer = Result<Json<Value>, Error>;

//! How our protocols answer and refuse: one shape, [`Problem`].

use std::sync::Arc;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use pumice_api::{Problem, ProblemCode};
use pumice_db::Worker;
use serde::Serialize;

use crate::{
    app::Shared,
    lab::workers,
    refusal::{Refusal, is_full},
    storage::StoreError,
};

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Problem);

impl Refused {
    pub(super) fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self(Problem::new(code, message))
    }
}

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        let refusal = refusal.into();
        refusal.log();
        let code = match refusal.status() {
            400 => ProblemCode::Invalid,
            401 => ProblemCode::Unauthenticated,
            403 => ProblemCode::Forbidden,
            404 => ProblemCode::NotFound,
            409 => ProblemCode::Conflict,
            422 => ProblemCode::DigestMismatch,
            503 => ProblemCode::Unavailable,
            429 => ProblemCode::RateLimited,
            _ => ProblemCode::Internal,
        };
        Self::new(code, refusal.public_message())
    }
}

/// What the store could not take.
pub(super) fn not_stored(error: &StoreError) -> Refused {
    let code = match error {
        StoreError::Gap { .. } => ProblemCode::OffsetGap,
        StoreError::WrongDigest => ProblemCode::DigestMismatch,
        StoreError::Ended => ProblemCode::Conflict,
        StoreError::Unavailable(_) => ProblemCode::Unavailable,
        StoreError::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => ProblemCode::Invalid,
        StoreError::Io(error) if is_full(error) => ProblemCode::Unavailable,
        StoreError::Io(_) => ProblemCode::Internal,
    };
    let mut problem = Problem::new(code, crate::refusal::with_sources(error));
    if let StoreError::Gap { have, .. } = error {
        problem.offset = Some(*have);
    }
    if let StoreError::Io(error) = error {
        tracing::error!(%error, "the store failed");
    }
    Refused(problem)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}

/// The longest refusal in words that is passed on.
const LONGEST_WORDS: usize = 64 << 10;

/// What axum itself refuses, in words (a body that cannot be read, a number that is none), in the shape of all refusals.
pub(super) async fn in_our_shape(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !status.is_client_error() || !kind.is_some_and(|kind| kind.starts_with("text/plain")) {
        return response;
    }
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        _ => ProblemCode::Invalid,
    };
    let words = axum::body::to_bytes(response.into_body(), LONGEST_WORDS).await.unwrap_or_default();
    Refused::new(code, String::from_utf8_lossy(&words)).into_response()
}

/// What a handler answers.
pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// An empty answer: `{}`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Nothing {}

/// `Authorization: Bearer TOKEN`.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Refused> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value
        .and_then(|value| value.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let missing = || Refused::new(ProblemCode::Unauthenticated, "send `Authorization: Bearer TOKEN`");
    token.map(|(_, token)| token.trim()).ok_or_else(missing)
}

/// What a worker shows as its token: its name and the secret, so that one look-up finds it.
pub(super) fn worker_token(shared: &Shared, worker: &Worker) -> String {
    format!("{}.{}", worker.hostname, workers::token(shared, worker))
}

/// The worker that asks.
pub(super) struct AsWorker(pub(super) Worker);

impl FromRequestParts<Arc<Shared>> for AsWorker {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let shown = bearer(&parts.headers)?;
        let unknown = || Refused::new(ProblemCode::Unauthenticated, "the token is not that of a worker");
        // The secret has no dot; a name may.
        let (hostname, secret) = shown.rsplit_once('.').ok_or_else(unknown)?;
        let worker = shared.known_workers.find(shared, hostname).await?;
        worker.filter(|worker| workers::token_fits(shared, worker, secret)).map(Self).ok_or_else(unknown)
    }
}

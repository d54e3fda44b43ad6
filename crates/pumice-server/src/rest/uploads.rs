//! Files that people send for their jobs.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    http::StatusCode,
};
use pumice_api::upload::UPLOAD_PIECE_BYTES;
use serde_json::json;

use super::{
    answer::{Answer, Refused, Who},
    list::ListQuery,
};
use crate::{
    app::Shared,
    lab::uploads::{self, Announced},
    refusal::Refusal,
};

pub(super) async fn list(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let all = uploads::all(&shared, &who).await?;
    query.answer(&query.cut(all), |upload| json!(upload))
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, who: Who, Path(sha256): Path<String>) -> Answer {
    Ok(Json(json!(uploads::find(&shared, &who, &sha256).await?)))
}

/// A piece has at most half of this: one that is too large is refused with a word, not with a broken line.
pub(super) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(2 * UPLOAD_PIECE_BYTES)
}

/// A piece, whose place and file stand in the query.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(sha256): Path<String>,
    query: ListQuery,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer {
    let number = |name: &str| -> Result<u64, Refused> {
        let number = query.get(name).and_then(|text| text.parse().ok());
        Ok(number.ok_or_else(|| Refusal::Invalid(format!("`{name}` must be there and a number")))?)
    };
    let announced = Announced {
        sha256,
        name: query.get("name").unwrap_or_default().chars().take(400).collect(),
        size: number("size")?,
    };
    let offset = number("offset")?;
    let bytes = bytes.map_err(|error| Refusal::Invalid(error.body_text()))?;
    Ok(Json(json!(uploads::put(&shared, &who, announced, offset, bytes).await?)))
}

pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(sha256): Path<String>,
) -> Answer<StatusCode> {
    uploads::remove(&shared, &who, &sha256).await?;
    Ok(StatusCode::NO_CONTENT)
}

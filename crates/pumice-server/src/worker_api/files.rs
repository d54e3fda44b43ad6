//! Logs and files, piece by piece.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
};
use pumice_api::worker::Position;
use pumice_types::Name;
use serde::Deserialize;

use super::{
    answer::{Answer, AsWorker, Refused, not_stored},
    job::{OfFence, lent},
};
use crate::{
    app::Shared,
    refusal::Refusal,
    results,
    storage::{FileAim, StoreError},
};

pub(super) async fn log_position(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Query(query): Query<OfFence>,
) -> Answer<Position> {
    let job = lent(&shared, &worker, id, query.fence).await?;
    let size = results::size(&shared, results::place(&job)).await?;
    Ok(Json(Position { offset: size.bytes, complete: false }))
}

#[derive(Deserialize)]
pub(super) struct LogPiece {
    fence: u64,
    offset: u64,
}

pub(super) async fn append_log(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Query(query): Query<LogPiece>,
    bytes: Bytes,
) -> Answer<Position> {
    let job = lent(&shared, &worker, id, query.fence).await?;
    let size = results::append_bytes(&shared, &job, query.offset, bytes.into()).await;
    let size = size.map_err(|error| not_stored(&error))?;
    Ok(Json(Position { offset: size.bytes, complete: false }))
}

#[derive(Deserialize)]
pub(super) struct FilePiece {
    fence: u64,
    offset: Option<u64>,
    size: Option<u64>,
    sha256: Option<String>,
}

fn file_name(name: &str) -> Result<Name, Refused> {
    Ok(name.parse().map_err(|error| Refusal::Invalid(format!("{error}")))?)
}

pub(super) async fn file_position(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path((id, name)): Path<(i64, String)>,
    Query(query): Query<FilePiece>,
) -> Answer<Position> {
    let job = lent(&shared, &worker, id, query.fence).await?;
    let (storage, place, name) = (Arc::clone(&shared.storage), results::place(&job), file_name(&name)?);
    let size = tokio::task::spawn_blocking(move || storage.file_size(place, &name)).await;
    let size = size.map_err(|error| Refusal::Internal(error.to_string()))??;
    Ok(Json(Position { offset: size.bytes, complete: size.complete }))
}

pub(super) async fn append_file(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path((id, name)): Path<(i64, String)>,
    Query(query): Query<FilePiece>,
    bytes: Bytes,
) -> Answer<Position> {
    let job = lent(&shared, &worker, id, query.fence).await?;
    let missing = |what: &str| Refusal::Invalid(format!("`{what}` is missing"));
    let aim = FileAim {
        size: query.size.ok_or_else(|| missing("size"))?,
        sha256: query.sha256.ok_or_else(|| missing("sha256"))?,
    };
    let offset = query.offset.ok_or_else(|| missing("offset"))?;
    if job.is_finished() {
        return Err(not_stored(&StoreError::Ended));
    }
    let (storage, place, name) = (Arc::clone(&shared.storage), results::place(&job), file_name(&name)?);
    let stored =
        tokio::task::spawn_blocking(move || storage.append_file(place, &name, &aim, offset, &bytes)).await;
    let stored = stored.map_err(|error| Refusal::Internal(error.to_string()))?;
    let size = stored.map_err(|error| not_stored(&error))?;
    Ok(Json(Position { offset: size.bytes, complete: size.complete }))
}

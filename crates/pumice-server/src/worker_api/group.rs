//! What the nodes of a MultiNode job say to each other, as streams of bytes (docs/protocol/worker.md, section 9).

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use pumice_api::{Problem, ProblemCode, worker::Position};
use pumice_db::Job;
use pumice_multinode::HearError;
use serde::Deserialize;

use super::{
    answer::{Answer, AsWorker, Refused},
    job::lent,
};
use crate::{app::Shared, groups::NotHeard};

/// The longest wait for words.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub(super) struct Piece {
    fence: u64,
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    wait_ms: u64,
}

/// The job, if it goes on: what a node says after its end has no use.
async fn node(shared: &Shared, worker: &AsWorker, id: i64, fence: u64) -> Result<Job, Refused> {
    let job = lent(shared, worker, id, fence).await?;
    if job.is_finished() {
        return Err(Refused::new(ProblemCode::StaleFence, format!("job {id} is over")));
    }
    Ok(job)
}

/// A node says something.
pub(super) async fn hear(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Query(piece): Query<Piece>,
    bytes: Bytes,
) -> Answer<Position> {
    let job = node(&shared, &worker, id, piece.fence).await?;
    let heard = shared.groups.hear(&shared, &job, piece.offset, &bytes).await;
    let offset = heard.map_err(|not_heard| match not_heard {
        NotHeard::Refused(refusal) => Refused::from(refusal),
        NotHeard::Words(HearError::Gap { have, .. }) => {
            let mut problem = Problem::new(ProblemCode::OffsetGap, format!("{have} bytes are there"));
            problem.offset = Some(have);
            Refused(problem)
        }
        NotHeard::Words(error) => Refused::new(ProblemCode::Invalid, error.to_string()),
    })?;
    Ok(Json(Position { offset, complete: false }))
}

/// What a node is told.
pub(super) async fn said(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Query(piece): Query<Piece>,
) -> Result<Response, Refused> {
    let job = node(&shared, &worker, id, piece.fence).await?;
    let wait = Duration::from_millis(piece.wait_ms).min(LONGEST_WAIT);
    let said = shared.groups.said(&shared, &job, piece.offset, wait).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], said).into_response())
}

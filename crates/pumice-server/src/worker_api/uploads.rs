//! `/uploads/SHA256/NAME`: a file that was sent for a job, for the worker that the job is lent to. The address is in the job's
//! definition as the worker gets it, and its capability opens it as long as the job is lent so.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use pumice_api::ProblemCode;
use pumice_types::JobId;
use serde::Deserialize;

use super::answer::Refused;
use crate::{app::Shared, lab::uploads, stored};

#[derive(Deserialize)]
pub(super) struct Claim {
    job: i64,
    fence: i64,
    capability: String,
}

pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Path((sha256, _name)): Path<(String, String)>,
    Query(claim): Query<Claim>,
) -> Result<Response, Refused> {
    let gone = |what: &str| Refused::new(ProblemCode::NotFound, what);
    let (job, fence) = (JobId(claim.job), claim.fence);
    if !uploads::is_open(&shared, job, fence, &sha256, &claim.capability).await? {
        return Err(gone("there is no such file for this job, or the job is not lent so any more"));
    }
    let (storage, digest) = (Arc::clone(&shared.storage), sha256.clone());
    let found =
        stored::answer(&headers, Some(&sha256), move |from| storage.read_upload(&digest, from)).await?;
    found.ok_or_else(|| gone("the file is not in the server's store any more"))
}

//! A job on its worker: what it is given, its start, its end.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use pumice_api::{
    ProblemCode,
    worker::{Finish, JobPackage, Return, Started},
};
use pumice_db::{Attachment, Job, JobEnd};
use pumice_sched::Event;
use pumice_types::{Cause, JobId, Name, Verdict, WorkerName};
use serde::Deserialize;

use super::answer::{Answer, AsWorker, Nothing, Refused};
use crate::{
    app::Shared,
    lava_worker::{configuration_for, definition_for_worker},
    origin::Origin,
    refusal::Refusal,
    results,
    scheduler::job_ref,
    storage::Place,
};

#[derive(Deserialize)]
pub(super) struct OfFence {
    pub(super) fence: u64,
}

/// The job, if `worker` has it under this fence.
pub(super) async fn lent(shared: &Shared, worker: &AsWorker, id: i64, fence: u64) -> Result<Job, Refused> {
    let job = shared.database.read().await?.job(JobId(id)).await?;
    let job = job.ok_or_else(|| Refused::new(ProblemCode::NotFound, format!("there is no job {id}")))?;
    let is_lent =
        job.worker.as_deref() == Some(worker.0.hostname.as_str()) && u64::try_from(job.fence) == Ok(fence);
    if is_lent {
        return Ok(job);
    }
    let message = format!("job {id} is not lent to {} under fence {fence}", worker.0.hostname);
    Err(Refused::new(ProblemCode::StaleFence, message))
}

pub(super) async fn package(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Extension(origin): Extension<Origin>,
    Path(id): Path<i64>,
    Query(query): Query<OfFence>,
) -> Answer<JobPackage> {
    let job = lent(&shared, &worker, id, query.fence).await?;
    let mut reader = shared.database.read().await?;
    let given = configuration_for(&shared, &mut reader, &job).await?;
    let given = given.map_err(|reason| Refused::new(ProblemCode::Conflict, reason))?;
    let definition = definition_for_worker(&shared, &mut reader, &job, &origin).await?;
    let nodes = match &job.target_group {
        Some(group) => reader.jobs_of_group(group).await?,
        None => Vec::new(),
    };
    drop(reader);
    let node_workers = nodes.into_iter().filter_map(|node| Some((node.id, WorkerName(node.worker?))));
    let mut writer = shared.database.write().await?;
    writer.use_uploads_of_job(job.id, shared.clock.now()).await?;
    writer.set_job_configuration(job.id, &given).await?;
    writer.commit().await?;
    Ok(Json(JobPackage {
        definition,
        device: given.device,
        dispatcher: given.dispatcher,
        env: given.env,
        env_dut: given.env_dut,
        is_node: job.target_group.is_some(),
        node_workers: node_workers.collect(),
    }))
}

pub(super) async fn started(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Json(started): Json<Started>,
) -> Answer<Nothing> {
    let job = lent(&shared, &worker, id, started.fence.0).await?;
    shared.scheduler.tell(Event::JobStarted(job_ref(&job))).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn returned(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Json(returned): Json<Return>,
) -> Answer<Nothing> {
    let job = lent(&shared, &worker, id, returned.fence.0).await?;
    let reason = &returned.failure.message;
    tracing::info!(job.id = id, worker = worker.0.hostname, reason, "a worker handed a job back");
    shared.scheduler.tell(Event::JobReturned(job_ref(&job))).await?;
    Ok(Json(Nothing {}))
}

/// The end: refused until everything is here.
pub(super) async fn finish(
    State(shared): State<Arc<Shared>>,
    worker: AsWorker,
    Path(id): Path<i64>,
    Json(finish): Json<Finish>,
) -> Answer<Nothing> {
    let job = lent(&shared, &worker, id, finish.fence.0).await?;
    if job.is_finished() {
        // A repetition of what was accepted.
        return Ok(Json(Nothing {}));
    }
    let place = results::place(&job);
    let unfinished = |message: String| Refused::new(ProblemCode::Unfinished, message);
    let size = results::settle(&shared, &job).await?;
    if size.bytes < finish.log_bytes {
        return Err(unfinished(format!("the log has {} of {} bytes", size.bytes, finish.log_bytes)));
    }
    let files = whole_files(&shared, place, &finish).await?;
    let mut writer = shared.database.write().await?;
    for file in &files {
        writer.put_attachment(job.id, file).await?;
    }
    writer.commit().await?;
    let failure = finish.outcome.failure;
    if failure.as_ref().is_some_and(|failure| failure.cause == Cause::LeaseLost) {
        shared.scheduler.tell(Event::JobLost(job_ref(&job))).await?;
    } else {
        let verdict = finish.outcome.verdict;
        // In LAVA's view a cancelled job has no error: somebody wanted its end.
        let shown = failure.as_ref().filter(|_| verdict != Verdict::Cancelled);
        let end = JobEnd {
            verdict,
            error_type: shown.map(|failure| failure.fault.lava_name().to_owned()),
            error_msg: shown.map(|failure| failure.message.clone()),
            failure: failure.as_ref().and_then(|failure| serde_json::to_string(failure).ok()),
            failure_comment: None,
        };
        let fault = failure.as_ref().map(|failure| failure.fault);
        let event = Event::JobFinished { job: job_ref(&job), verdict, fault };
        shared.scheduler.tell_end(event, end).await?;
    }
    shared.logs.close(place);
    Ok(Json(Nothing {}))
}

/// The files of an end, if all are whole.
async fn whole_files(
    shared: &Arc<Shared>,
    place: Place,
    finish: &Finish,
) -> Result<Vec<Attachment>, Refused> {
    let mut found = Vec::new();
    for file in &finish.files {
        let name: Name = file.name.parse().map_err(|error| Refusal::Invalid(format!("{error}")))?;
        let storage = Arc::clone(&shared.storage);
        let size = tokio::task::spawn_blocking(move || storage.file_size(place, &name)).await;
        let size = size.map_err(|error| Refusal::Internal(error.to_string()))??;
        if !size.complete {
            let message = format!("file {} has {} of {} bytes", file.name, size.bytes, file.size);
            return Err(Refused::new(ProblemCode::Unfinished, message));
        }
        found.push(Attachment {
            name: file.name.clone(),
            size_bytes: i64::try_from(file.size).unwrap_or(i64::MAX),
            sha256: file.sha256.clone(),
            content_type: content_type(&file.name).to_owned(),
            created: shared.clock.now(),
        });
    }
    Ok(found)
}

/// What a browser may be told of a file: only what it cannot run.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("txt" | "log") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("yaml" | "yml") => "application/yaml",
        Some("png") => "image/png",
        Some("gz") => "application/gzip",
        _ => "application/octet-stream",
    }
}

//! `/scheduler/internal/v1/`

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Form, Json, Router,
    extract::{ConnectInfo, Path, Query, State},
    http::{Extensions, HeaderMap, StatusCode},
    routing::{get, post},
};
use pumice_api::worker::{Fence, Held, JobRef, Phase};
use pumice_db::{Job, Worker, WorkerState};
use pumice_sched::Event;
use pumice_types::{JobId, JobState, WorkerName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Error},
    finish,
    give::{configuration_for, definition_for_worker, job_token, token_fits},
};
use crate::{
    app::Shared,
    lab::workers,
    origin::{Origin, Peer},
    refusal::{Refusal, with_sources},
    rest::check_password,
    results,
    storage::StoreError,
};

/// The routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    const PREFIX: &str = "/scheduler/internal/v1";
    Router::new()
        .route(&format!("{PREFIX}/workers/"), post(register))
        .route(&format!("{PREFIX}/workers/{{name}}/"), get(ping))
        .route(&format!("{PREFIX}/jobs/{{id}}/"), get(fetch).post(state))
        .route(&format!("{PREFIX}/jobs/{{id}}/logs/"), post(logs))
}

fn token(headers: &HeaderMap) -> Result<&str, Error> {
    headers
        .get("LAVA-Token")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| Error::bad("Missing 'token'"))
}

#[derive(Deserialize)]
struct Registration {
    name: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

async fn register(
    State(shared): State<Arc<Shared>>,
    extensions: Extensions,
    Form(form): Form<Registration>,
) -> Answer {
    let name = form.name.ok_or_else(|| Error::bad("Missing 'name'"))?;
    let known = shared.database.read().await?.worker(&name).await?.is_some();
    if let (Some(username), Some(password)) = (form.username, form.password) {
        let user = check_password(&shared, &username, password).await;
        let user = user.map_err(|_| Error::forbidden("Unknown user"))?;
        if !user.is_superuser {
            return Err(Error::forbidden(format!("User '{username}' may not register workers")));
        }
    } else {
        let address = extensions.get::<ConnectInfo<Peer>>().map(|from| from.0.address.ip());
        if shared.config.worker_networks.is_empty() {
            return Err(Error::forbidden("Auto registration is disabled"));
        }
        if !address.is_some_and(|address| {
            shared.config.worker_networks.iter().any(|network| within(address, *network))
        }) {
            return Err(Error::forbidden("Auto registration is forbidden for your address"));
        }
        if known {
            return Err(Error::forbidden(format!("Worker '{name}' already registered")));
        }
    }
    let token = workers::join(&shared, &name).await?;
    Ok(Json(json!({"name": name, "token": token})))
}

/// Whether an address is in a network.
fn within(address: IpAddr, (network, prefix): (IpAddr, u8)) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((one, width), (other, other_width)) = (bits(address), bits(network));
    let differing = 128 - u32::from(prefix.min(width));
    width == other_width && (one ^ other).checked_shr(differing).unwrap_or(0) == 0
}

#[derive(Deserialize)]
struct Ping {
    version: Option<String>,
}

async fn ping(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(ping): Query<Ping>,
) -> Answer {
    let worker = shared.database.read().await?.worker(&name).await?;
    let worker = worker.ok_or_else(|| Error::missing(format!("Unknown worker '{name}'")))?;
    if !workers::token_fits(&shared, &worker, token(&headers)?) {
        return Err(Error::bad("Invalid 'token'"));
    }
    let version = ping.version.ok_or_else(|| Error::bad("Missing 'version'"))?;
    heard_of(&shared, &worker, &version).await?;
    let jobs = shared.database.read().await?.jobs_of_worker(&name).await?;
    let of = |wanted: JobState| -> Vec<Value> {
        let chosen = jobs.iter().filter(|job| job.state == wanted);
        chosen.map(|job| json!({"id": job.id, "token": job_token(&shared, job)})).collect()
    };
    Ok(Json(json!({
        "cancel": of(JobState::Cancelling),
        "running": of(JobState::Running),
        "start": of(JobState::Scheduled),
    })))
}

/// Tells the scheduler that the worker is there and has what we think it has: it does not say itself.
async fn heard_of(shared: &Arc<Shared>, worker: &Worker, version: &str) -> Result<(), Error> {
    let name = WorkerName(worker.hostname.clone());
    let now = shared.clock.now();
    let mut writer = shared.database.write().await?;
    writer.ping_worker(&worker.hostname, WorkerState::Online, version, None, now).await?;
    writer.commit().await?;
    let looked_up = name.clone();
    let seen = shared
        .scheduler
        .look(move |lab| lab.worker(&looked_up).map(|worker| (worker.epoch, worker.state)))
        .await?;
    let Some((epoch, state)) = seen else { return Ok(()) };
    let needs_session = epoch.0 == 0 || state == pumice_sched::WorkerState::Offline;
    let epoch = if needs_session {
        // One session for as long as the server runs and the worker is heard of.
        let session = format!("lava-{}", shared.clock.steady().0);
        shared.scheduler.tell(Event::WorkerHello { worker: name.clone(), session }).await?;
        let looked_up = name.clone();
        shared.scheduler.look(move |lab| lab.worker(&looked_up).map_or(epoch, |worker| worker.epoch)).await?
    } else {
        epoch
    };
    let looked_up = name.clone();
    let held = shared
        .scheduler
        .look(move |lab| {
            let taken = lab.jobs_of(&looked_up).filter(|job| job.state != JobState::Scheduled);
            taken
                .map(|job| Held { job: job.id(), fence: job.fence, phase: Phase::Running })
                .collect::<Vec<_>>()
        })
        .await?;
    let sequence = shared.clock.steady().0;
    shared
        .scheduler
        .tell(Event::WorkerPolled { worker: name, epoch, sequence, held, not_ready: None })
        .await?;
    Ok(())
}

/// The job, if the token is that of its present giving.
async fn authorised(shared: &Shared, headers: &HeaderMap, id: i64) -> Result<Job, Error> {
    let job = shared.database.read().await?.job(JobId(id)).await?;
    // These very words tell LAVA's worker to forget the job.
    let job = job.ok_or_else(|| Error::missing(format!("Unknown job '{id}'")))?;
    if !token_fits(shared, &job, token(headers)?) {
        return Err(Error::bad("Invalid 'token'"));
    }
    Ok(job)
}

async fn fetch(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Extension(origin): Extension<Origin>,
    Path(id): Path<i64>,
) -> Answer {
    let job = authorised(&shared, &headers, id).await?;
    let mut reader = shared.database.read().await?;
    let given = configuration_for(&shared, &mut reader, &job).await?;
    let given = given.map_err(|reason| Error(StatusCode::CONFLICT, reason))?;
    let definition = definition_for_worker(&shared, &mut reader, &job, &origin).await?;
    drop(reader);
    let mut writer = shared.database.write().await?;
    writer.use_uploads_of_job(job.id, shared.clock.now()).await?;
    writer.set_job_configuration(job.id, &given).await?;
    writer.commit().await?;
    Ok(Json(json!({
        "definition": definition,
        "device": given.device,
        "dispatcher": given.dispatcher,
        "env": given.env,
        "env-dut": given.env_dut,
    })))
}

#[derive(Deserialize)]
struct StateForm {
    state: Option<String>,
    result: Option<String>,
    error_type: Option<String>,
    errors: Option<String>,
    description: Option<String>,
}

async fn state(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(form): Form<StateForm>,
) -> Answer {
    let job = authorised(&shared, &headers, id).await?;
    let job_ref = JobRef { job: job.id, fence: Fence(u64::try_from(job.fence).unwrap_or(0)) };
    match form.state.as_deref() {
        Some("RUNNING") => {
            shared.scheduler.tell(Event::JobStarted(job_ref)).await?;
        }
        Some("FINISHED") if job.is_finished() => {}
        Some("FINISHED") => {
            results::settle(&shared, &job).await?;
            let passed = match form.result.as_deref() {
                Some("pass") => true,
                Some("fail") => false,
                _ => return Err(Error::bad("Invalid health")),
            };
            if let Some(text) = form.description.filter(|text| !text.is_empty()) {
                let (storage, place) = (Arc::clone(&shared.storage), results::place(&job));
                let kept =
                    tokio::task::spawn_blocking(move || storage.put_text(place, "description.yaml", &text))
                        .await;
                kept.map_err(|error| Refusal::Internal(error.to_string()))??;
            }
            let error_type = form.error_type.unwrap_or_default();
            // The log says what went wrong; the report only whose failure it was.
            let known = shared.database.read().await?.job(job.id).await?.and_then(|job| job.error_msg);
            let errors = form.errors.unwrap_or_default();
            let (end, fault) = finish::end(passed, &error_type, known.as_deref(), &errors);
            let event = Event::JobFinished { job: job_ref, verdict: end.verdict, fault };
            shared.scheduler.tell_end(event, end).await?;
            shared.logs.close(results::place(&job));
        }
        _ => return Err(Error::bad("Invalid state")),
    }
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Lines {
    lines: Option<String>,
    index: Option<u64>,
}

async fn logs(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(form): Form<Lines>,
) -> Answer {
    let job = authorised(&shared, &headers, id).await?;
    let lines = form.lines.ok_or_else(|| Error::bad("Missing 'lines'"))?;
    let index = form.index.ok_or_else(|| Error::bad("Missing 'index'"))?;
    let count = lines.split('\n').count();
    match results::append_lines(&shared, &job, index, &lines).await {
        // What we had already counts too, so that the worker goes on.
        Ok(_) => Ok(Json(json!({"line_count": count}))),
        Err(StoreError::Gap { have, .. }) => {
            Err(Error::bad(format!("Invalid 'index': {have} lines are there")))
        }
        Err(StoreError::Ended) => Err(Error(StatusCode::CONFLICT, StoreError::Ended.to_string())),
        Err(StoreError::Unavailable(why)) => Err(Refusal::Unavailable(why).into()),
        Err(StoreError::Io(error)) => Err(error.into()),
        Err(error) => Err(Refusal::Internal(with_sources(&error)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let network = |text: &str, prefix| (text.parse::<IpAddr>().unwrap(), prefix);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(within(address("127.9.9.9"), network("127.0.0.0", 8)));
        assert!(!within(address("128.0.0.1"), network("127.0.0.0", 8)));
        assert!(within(address("10.0.0.1"), network("0.0.0.0", 0)));
        assert!(!within(address("::1"), network("0.0.0.0", 0)));
        assert!(within(address("::1"), network("::1", 128)));
    }
}

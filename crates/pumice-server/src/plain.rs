//! LAVA's plain addresses that programs read (clients.md 3), health and numbers for monitoring.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use pumice_db::{JobHealthWord, JobStateWord, Page};
use serde_json::json;

use crate::{
    app::Shared,
    lab::jobs,
    refusal::{Refusal, with_sources},
    rest::{Refused, SeenJob, Who},
    results, stream, yaml,
};

/// Every row at once.
const ALL: Page = Page { limit: 1 << 31, offset: 0 };

/// The routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/results/{id}/yaml", get(results_yaml))
        .route("/results/{id}/csv", get(results_csv))
        .route("/results/{id}/metadata", get(results_metadata))
        .route("/results/testcase/{id}/yaml", get(case_yaml))
        .route("/scheduler/job/{id}/log_file/plain", get(log))
        .route("/scheduler/job/{id}/definition/plain", get(definition))
        .route("/scheduler/job/{id}/multinode_definition/plain", get(multinode_definition))
        .route("/scheduler/job/{id}/configuration", get(configuration))
        .route("/scheduler/job/{id}/job_status", get(status))
        .route("/scheduler/device/{hostname}/devicedict/plain", get(dictionary))
        .route("/v1/healthz/", get(health))
        .route("/v1/prometheus/", get(prometheus))
}

fn text(kind: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn results_yaml(SeenJob { shared, job, .. }: SeenJob) -> Result<Response, Refused> {
    let cases = shared.database.read().await?.cases(job.id, &[], &[], ALL).await?.rows;
    Ok(text("application/yaml", yaml::dump(&cases.iter().map(results::case_yaml).collect())))
}

async fn results_csv(SeenJob { shared, job, .. }: SeenJob) -> Result<Response, Refused> {
    let cases = shared.database.read().await?.cases(job.id, &[], &[], ALL).await?.rows;
    Ok(text("text/csv", results::csv(&job, &cases)))
}

async fn results_metadata(SeenJob { job, .. }: SeenJob) -> Result<Response, Refused> {
    Ok(text("application/yaml", yaml::dump(&results::job_metadata_map(&job).into())))
}

async fn case_yaml(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(id): Path<i64>,
) -> Result<Response, Refused> {
    let case = shared.database.read().await?.case(id).await?;
    let case = case.ok_or_else(|| Refusal::missing("Test case", id))?;
    jobs::find(&mut shared.database.read().await?, &who, &case.job_id.to_string()).await?;
    Ok(text("application/yaml", yaml::dump(&results::case_yaml(&case))))
}

async fn log(SeenJob { shared, job, .. }: SeenJob) -> Result<Response, Refused> {
    let lines = stream::log(&shared, results::place(&job), 0, None);
    let mut response = ([(header::CONTENT_TYPE, "application/yaml")], lines).into_response();
    if let Ok(value) = format!("attachment; filename=job_{}.yaml", job.id).parse() {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

async fn definition(SeenJob { shared, job, .. }: SeenJob) -> Result<Response, Refused> {
    let found = shared.database.read().await?.job_text(job.id).await?;
    Ok(text("text/plain; charset=utf-8", found.map(|text| text.original).unwrap_or_default()))
}

async fn multinode_definition(SeenJob { shared, job, .. }: SeenJob) -> Result<Response, Refused> {
    let found = shared.database.read().await?.job_text(job.id).await?;
    Ok(text("text/plain; charset=utf-8", found.map(|text| text.multinode).unwrap_or_default()))
}

async fn dictionary(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Result<Response, Refused> {
    let mut reader = shared.database.read().await?;
    crate::lab::devices::find(&mut reader, &who, &hostname).await?;
    let found =
        reader.dictionary(&hostname).await?.ok_or_else(|| Refusal::missing("Dictionary of", &hostname))?;
    Ok(text("text/plain; charset=utf-8", found))
}

/// What the worker was given, as a tar archive.
async fn configuration(SeenJob { shared, job, .. }: SeenJob) -> Result<Response, Refused> {
    let mut reader = shared.database.read().await?;
    let missing = || Refusal::Missing(format!("Job '{}' has not started yet", job.display_id()));
    let given = reader.job_configuration(job.id).await?.ok_or_else(missing)?;
    let definition = reader.job_text(job.id).await?.ok_or_else(missing)?.definition;
    let files = [
        ("job.yaml", definition),
        ("device.yaml", given.device),
        ("dispatcher.yaml", given.dispatcher),
        ("env.yaml", given.env),
        ("env-dut.yaml", given.env_dut),
    ];
    let archive = archive(&job, &files)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-bzip2".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=job_{}_configuration.tar.bz2", job.id)),
    ];
    Ok((headers, archive).into_response())
}

fn archive(job: &pumice_db::Job, files: &[(&str, String)]) -> Result<Vec<u8>, Refusal> {
    let compressed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    let mut archive = tar::Builder::new(compressed);
    let time = u64::try_from(job.submit_time.0 / 1_000_000).unwrap_or(0);
    for (name, content) in files.iter().filter(|(_, content)| !content.is_empty()) {
        let mut entry = tar::Header::new_gnu();
        entry.set_size(content.len() as u64);
        entry.set_mode(0o644);
        entry.set_mtime(time);
        archive.append_data(&mut entry, name, content.as_bytes())?;
    }
    Ok(archive.into_inner()?.finish()?)
}

/// What LAVA's own page polls.
async fn status(SeenJob { job, .. }: SeenJob) -> Result<Response, Refused> {
    let answer = json!({
        "actual_device": job.actual_device,
        "state": JobStateWord::from(job.state).as_str(),
        "health": JobHealthWord::from(job.state).as_str(),
        "started": job.start_time.map(pumice_db::Timestamp::python_str),
        "finished": job.is_finished(),
    });
    Ok(axum::Json(answer).into_response())
}

/// How long the database and the scheduler may take to answer a server that is healthy.
const HEALTHY_WITHIN: Duration = Duration::from_secs(5);

/// Whether the server can do its work: the database answers and the scheduler runs.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let database = async {
        let asked = async { shared.database.read().await?.setting("health").await };
        asked.await.map(drop).map_err(|error| format!("database: {}", with_sources(&error)))
    };
    let scheduler =
        async { shared.scheduler.look(|_| ()).await.map_err(|error| format!("scheduler: {error}")) };
    let (database, scheduler) = tokio::join!(
        tokio::time::timeout(HEALTHY_WITHIN, database),
        tokio::time::timeout(HEALTHY_WITHIN, scheduler)
    );
    let late = |what: &str| Err(format!("{what}: no answer within {} s", HEALTHY_WITHIN.as_secs()));
    let found =
        [database.unwrap_or_else(|_| late("database")), scheduler.unwrap_or_else(|_| late("scheduler"))];
    let errors: Vec<_> = found.into_iter().filter_map(Result::err).collect();
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    for error in &errors {
        tracing::error!(error, "the server is not healthy");
    }
    let words = if errors.is_empty() { "good" } else { "bad" };
    (status, axum::Json(json!({"health": words}))).into_response()
}

/// Numbers in Prometheus' text format, version 0.0.4.
async fn prometheus(State(shared): State<Arc<Shared>>) -> Result<Response, Refused> {
    let numbers = shared.database.read().await?.statistics().await?;
    let mut out = String::new();
    let mut metric =
        |name: &str, help: &str, label: &str, values: &mut dyn Iterator<Item = (String, u64)>| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (value, count) in values {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = writeln!(out, "{name}{{{label}=\"{value}\"}} {count}");
            }
        };
    let jobs = numbers.jobs.iter().map(|(state, count)| (format!("{state:?}").to_lowercase(), *count));
    let jobs = jobs.map(|(state, count)| (state.replace("finished(", "").replace(')', ""), count));
    metric("pumice_jobs", "Jobs by state.", "state", &mut jobs.into_iter());
    metric("pumice_queue", "Waiting jobs by device type.", "device_type", &mut numbers.queue.into_iter());
    metric("pumice_devices", "Devices by health.", "health", &mut numbers.devices.into_iter());
    metric("pumice_workers", "Workers by state.", "state", &mut numbers.workers.into_iter());
    Ok(text("text/plain; version=0.0.4", out))
}

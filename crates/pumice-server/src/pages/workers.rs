//! Workers.

use axum::extract::Path;
use pumice_api::worker::HostFacts;
use pumice_db::{Condition, Worker};
use serde::Serialize;

use super::{
    context::{ALL, DeedView, DeviceView, JobView, views},
    page::{Answer, Page},
};
use crate::lab::workers;

/// A worker.
#[derive(Serialize)]
struct WorkerView {
    hostname: String,
    state: &'static str,
    health: &'static str,
    description: Option<String>,
    version: Option<String>,
    last_ping: String,
    /// Jobs at once; 0 for as many as fit.
    job_limit: i64,
}

impl From<&Worker> for WorkerView {
    fn from(worker: &Worker) -> Self {
        Self {
            hostname: worker.hostname.clone(),
            state: worker.state.as_str(),
            health: worker.health.as_str(),
            description: worker.description.clone(),
            version: worker.version.clone(),
            last_ping: worker.last_ping.rest(),
            job_limit: worker.job_limit,
        }
    }
}

/// What `workers.html` sees.
#[derive(Serialize)]
struct WorkersView {
    rows: Vec<WorkerView>,
}

pub(super) async fn all(page: Page) -> Answer {
    let found = page.shared.database.read().await?.workers(&[], &[], ALL).await?;
    page.show("workers.html", "workers", "Workers", WorkersView { rows: views(&found.rows) })
}

/// What `worker.html` sees.
#[derive(Serialize)]
struct OneView {
    worker: WorkerView,
    /// What it last said its host has.
    host: Option<HostFacts>,
    devices: Vec<DeviceView>,
    /// The jobs on it that the reader may see.
    jobs: Vec<JobView>,
    history: Vec<DeedView>,
}

pub(super) async fn one(page: Page, Path(hostname): Path<String>) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let worker = page.or_refuse(workers::find(&mut reader, &hostname).await)?;
    let now = page.shared.clock.now();
    let conditions: Vec<_> = Condition::on_devices("worker_host", &hostname).into_iter().collect();
    let devices = reader.devices(&page.who.viewer, &conditions, &[], ALL).await?.rows;
    let mut jobs = Vec::new();
    for job in reader.jobs_of_worker(&hostname).await? {
        if reader.sees_job(&page.who.viewer, job.id).await? {
            jobs.push(JobView::new(&job, now));
        }
    }
    let history = reader.audit_of("worker", &hostname, 20).await?;
    drop(reader);
    let values = OneView {
        worker: WorkerView::from(&worker),
        host: worker.offer.as_deref().and_then(|offer| serde_json::from_str(offer).ok()),
        devices: views(&devices),
        jobs,
        history: views(&history),
    };
    page.show("worker.html", "workers", &hostname, values)
}

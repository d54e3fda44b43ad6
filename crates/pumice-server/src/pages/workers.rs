//! Workers.

use axum::extract::Path;
use pumice_api::worker::HostFacts;
use pumice_db::{Condition, Page as Part, Worker};
use serde_json::{Value, json};

use super::{
    context as shown,
    page::{Answer, Page},
};
use crate::lab::workers;

/// Every row at once.
const ALL: Part = Part { limit: 1 << 31, offset: 0 };

fn row(worker: &Worker) -> Value {
    json!({ "hostname": worker.hostname, "state": worker.state.as_str(), "health": worker.health.as_str(), "description": worker.description, "version": worker.version, "last_ping": worker.last_ping.rest(), "job_limit": worker.job_limit })
}

pub(super) async fn all(page: Page) -> Answer {
    let found = page.shared.database.read().await?.workers(&[], &[], ALL).await?;
    let rows: Vec<_> = found.rows.iter().map(row).collect();
    page.show("workers.html", "workers", "Workers", json!({ "rows": rows }))
}

pub(super) async fn one(page: Page, Path(hostname): Path<String>) -> Answer {
    let mut reader = page.shared.database.read().await?;
    let worker = match workers::find(&mut reader, &hostname).await {
        Ok(worker) => worker,
        Err(refusal) => {
            drop(reader);
            return Err(page.refuse(refusal));
        }
    };
    let now = page.shared.clock.now();
    let conditions: Vec<_> = Condition::on_devices("worker_host", &hostname).into_iter().collect();
    let devices = reader.devices(&page.who.viewer, &conditions, &[], ALL).await?.rows;
    let jobs = reader.jobs_of_worker(&hostname).await?;
    let mut seen = Vec::new();
    for job in jobs {
        if reader.sees_job(&page.who.viewer, job.id).await? {
            seen.push(shown::job(&job, now));
        }
    }
    let history = reader.audit_of("worker", &hostname, 20).await?;
    drop(reader);
    let host: Option<HostFacts> = worker.offer.as_deref().and_then(|offer| serde_json::from_str(offer).ok());
    let values = json!({ "worker": row(&worker), "host": host, "devices": devices.iter().map(shown::device).collect::<Vec<_>>(), "jobs": seen, "history": history.iter().map(shown::deed).collect::<Vec<_>>() });
    page.show("worker.html", "workers", &hostname, values)
}

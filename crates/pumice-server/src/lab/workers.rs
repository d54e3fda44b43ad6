//! Workers: adding, changing, their tokens and files.

use std::sync::Arc;

use pumice_db::{DbError, Reader, Worker, WorkerFile, WorkerHealth};
use pumice_sched::Event;
use pumice_types::WorkerName;

use super::{deed, valid_name};
use crate::{
    access::Identity,
    app::Shared,
    events::worker_event,
    refusal::Refusal,
    scheduler::{worker_for_scheduler, worker_health_for_scheduler},
};

/// What a worker's token is derived for.
const TOKEN_PURPOSE: &str = "worker";

/// A worker.
pub(crate) async fn find(reader: &mut Reader, hostname: &str) -> Result<Worker, Refusal> {
    reader.worker(hostname).await?.ok_or_else(|| Refusal::missing("Worker", hostname))
}

/// A worker that may be changed.
async fn find_to_change(reader: &mut Reader, who: &Identity, hostname: &str) -> Result<Worker, Refusal> {
    let user = who.logged_in()?.username.clone();
    let worker = find(reader, hostname).await?;
    if who.may_change_worker(reader, hostname).await? {
        return Ok(worker);
    }
    Err(Refusal::Forbidden(format!("User '{user}' is missing permission lava_scheduler_app.change_worker.")))
}

/// A worker's token.
pub(crate) fn token(shared: &Shared, worker: &Worker) -> String {
    shared.key.derive(TOKEN_PURPOSE, &format!("{}\n{}", worker.hostname, worker.token_generation))
}

/// Whether a token is this worker's.
pub(crate) fn token_fits(shared: &Shared, worker: &Worker, token: &str) -> bool {
    shared.key.verify(TOKEN_PURPOSE, &format!("{}\n{}", worker.hostname, worker.token_generation), token)
}

/// Adds a worker.
pub(crate) async fn add(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    description: Option<&str>,
    is_disabled: bool,
) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.add_worker")?;
    let health = if is_disabled { WorkerHealth::Maintenance } else { WorkerHealth::Active };
    insert(shared, who, hostname, description, health).await
}

async fn insert(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    description: Option<&str>,
    health: WorkerHealth,
) -> Result<(), Refusal> {
    valid_name("worker", hostname)?;
    let mut writer = shared.database.write().await?;
    let inserted = writer.insert_worker(hostname, description, health, shared.clock.now()).await;
    inserted.map_err(|error| match error {
        DbError::AlreadyExists => Refusal::Invalid("Bad request: worker already exists?".to_owned()),
        other => other.into(),
    })?;
    writer.note(&deed(shared, who, "add", "worker", hostname, "added")).await?;
    writer.commit().await?;
    refresh(shared, hostname).await
}

/// Makes sure that a worker is known and answers its token.
pub(crate) async fn join(shared: &Arc<Shared>, hostname: &str) -> Result<String, Refusal> {
    let known = shared.database.read().await?.worker(hostname).await?;
    if known.is_none() {
        insert(shared, &Identity::default(), hostname, None, WorkerHealth::Active).await?;
    }
    let worker = find(&mut shared.database.read().await?, hostname).await?;
    Ok(token(shared, &worker))
}

/// Changes a worker.
pub(crate) async fn change(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    description: Option<&str>,
    health: Option<&str>,
    job_limit: Option<i64>,
) -> Result<(), Refusal> {
    let health: Option<WorkerHealth> = health
        .map(|word| word.parse().map_err(|()| Refusal::Invalid(format!("Invalid health: '{word}'"))))
        .transpose()?;
    if job_limit.is_some_and(|limit| limit < 0) {
        return Err(Refusal::Invalid("Bad request: job_limit is negative.".to_owned()));
    }
    let mut writer = shared.database.write().await?;
    let before = find_to_change(&mut writer, who, hostname).await?;
    writer.update_worker(hostname, description, health, job_limit).await?;
    let message = match health.filter(|health| *health != before.health) {
        Some(health) => format!("{} → {health}", before.health),
        None => "changed".to_owned(),
    };
    writer.note(&deed(shared, who, "change", "worker", hostname, message)).await?;
    let after = writer.worker(hostname).await?;
    writer.commit().await?;
    if let Some(worker) = after {
        shared.events.publish(worker_event(&worker, who.name()), shared.clock.now());
    }
    refresh(shared, hostname).await?;
    if let Some(health) = health {
        let name = WorkerName(hostname.to_owned());
        shared.scheduler.tell(Event::SetWorkerHealth(name, worker_health_for_scheduler(health))).await?;
    }
    Ok(())
}

/// Removes a worker that has no devices.
pub(crate) async fn remove(shared: &Arc<Shared>, who: &Identity, hostname: &str) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.delete_worker")?;
    let mut writer = shared.database.write().await?;
    find(&mut writer, hostname).await?;
    writer.delete_worker(hostname).await.map_err(|error| match error {
        DbError::StillReferenced => Refusal::Invalid(format!("Worker '{hostname}' still has devices.")),
        other => other.into(),
    })?;
    writer.note(&deed(shared, who, "delete", "worker", hostname, "removed")).await?;
    writer.commit().await?;
    shared.scheduler.tell(Event::RemoveWorker(WorkerName(hostname.to_owned()))).await?;
    Ok(())
}

/// One of a worker's files; `None` when it has none of its own.
pub(crate) async fn file(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    file: WorkerFile,
) -> Result<Option<String>, Refusal> {
    who.logged_in()?;
    let mut reader = shared.database.read().await?;
    find(&mut reader, hostname).await?;
    Ok(reader.worker_file(hostname, file).await?)
}

/// Sets one of a worker's files; an empty text removes it.
pub(crate) async fn set_file(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    file: WorkerFile,
    text: &str,
) -> Result<(), Refusal> {
    let mut writer = shared.database.write().await?;
    find_to_change(&mut writer, who, hostname).await?;
    writer.set_worker_file(hostname, file, Some(text).filter(|text| !text.is_empty())).await?;
    writer.note(&deed(shared, who, "file", "worker", hostname, format!("{file:?} set"))).await?;
    writer.commit().await?;
    Ok(())
}

/// Tells the scheduler what a worker is now.
pub(crate) async fn refresh(shared: &Arc<Shared>, hostname: &str) -> Result<(), Refusal> {
    let worker = shared.database.read().await?.worker(hostname).await?;
    if let Some(worker) = worker {
        shared.scheduler.tell(Event::PutWorker(worker_for_scheduler(&worker))).await?;
    }
    Ok(())
}

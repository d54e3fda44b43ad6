//! Removing jobs that ended long ago, where the operator says how long they are kept.

use std::{sync::Arc, time::Duration};

use pumice_types::JobId;
use tokio::task::JoinHandle;

use crate::{app::Shared, refusal::Refusal};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(3600);

/// Jobs that are removed at once.
const ROUND: u64 = 100;

/// Removes them until the server goes down.
pub(crate) fn spawn(shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(keep) = shared.config.keep_jobs else { return };
        loop {
            match round(&shared, keep).await {
                // There may be more.
                Ok(removed) if removed > 0 => continue,
                Ok(_) => {}
                Err(refusal) => refusal.log(),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = shared.stopping() => return,
            }
        }
    })
}

/// Removes some; answers how many.
async fn round(shared: &Arc<Shared>, keep: Duration) -> Result<usize, Refusal> {
    let before = shared.clock.now().before(keep);
    let old = shared.database.read().await?.jobs_ended_before(before, ROUND).await?;
    for id in &old {
        remove(shared, *id).await?;
    }
    Ok(old.len())
}

/// The files first: a crash between the two leaves a job without a log, and the next round removes it.
async fn remove(shared: &Arc<Shared>, id: JobId) -> Result<(), Refusal> {
    let storage = Arc::clone(&shared.storage);
    let removed = tokio::task::spawn_blocking(move || storage.remove(id)).await;
    removed.map_err(|error| Refusal::Internal(error.to_string()))??;
    let mut writer = shared.database.write().await?;
    writer.delete_job(id).await?;
    writer.commit().await?;
    Ok(())
}

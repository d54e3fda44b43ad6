//! Removing what nobody needs any more: jobs that ended long ago, where the operator says how long they are kept, and files that
//! were sent for jobs.

use std::{sync::Arc, time::Duration};

use pumice_types::JobId;
use tokio::task::JoinHandle;

use crate::{
    app::Shared,
    lab::{SERVER, uploads},
    refusal::Refusal,
};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(3600);

/// What is removed at once.
const ROUND: u64 = 100;

/// Removes until the server goes down.
pub(crate) fn spawn(shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let removed = async { Ok::<_, Refusal>(jobs(&shared).await? + unused_uploads(&shared).await?) };
            match removed.await {
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

/// Removes some jobs; answers how many.
async fn jobs(shared: &Arc<Shared>) -> Result<usize, Refusal> {
    let Some(keep) = shared.config.keep_jobs else { return Ok(0) };
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

/// Removes some files that were sent and are not used any more; answers how many.
async fn unused_uploads(shared: &Shared) -> Result<usize, Refusal> {
    let before = shared.clock.now().before(shared.config.keep_uploads);
    let old = shared.database.read().await?.uploads_unused_since(before, ROUND).await?;
    for upload in &old {
        uploads::forget(shared, SERVER, upload, "expired").await?;
    }
    Ok(old.len())
}

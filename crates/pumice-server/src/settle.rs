//! Handing what has come to its end to the store that keeps it for good, where it is another than the one that it grew in.

use std::{sync::Arc, time::Duration};

use pumice_types::JobId;
use tokio::task::JoinHandle;

use crate::{app::Shared, refusal::Refusal};

/// The pause between two looks. It is also how long a job has ended before it is moved: what came late has come by then.
const PAUSE: Duration = Duration::from_secs(60);

/// Looks until the server goes down.
pub(crate) fn spawn(shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            if let Err(refusal) = round(&shared).await {
                refusal.log();
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = shared.stopping() => return,
            }
        }
    })
}

async fn round(shared: &Arc<Shared>) -> Result<(), Refusal> {
    let failed = |error: tokio::task::JoinError| Refusal::Internal(error.to_string());
    let storage = Arc::clone(&shared.storage);
    let here = tokio::task::spawn_blocking(move || storage.unsettled()).await.map_err(failed)??;
    let before = shared.clock.now().before(PAUSE);
    let mut ended: Vec<JobId> = Vec::new();
    let mut reader = shared.database.read().await?;
    for id in here {
        let job = reader.job(id).await?;
        if job.is_some_and(|job| job.is_finished() && job.end_time.is_some_and(|end| end < before)) {
            ended.push(id);
        }
    }
    drop(reader);
    // Nothing that is being moved is removed meanwhile.
    let _nothing_is_removed = shared.uploads.read().await;
    let storage = Arc::clone(&shared.storage);
    tokio::task::spawn_blocking(move || storage.settle(&ended)).await.map_err(failed)??;
    Ok(())
}

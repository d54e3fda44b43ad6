//! Workers as they were last seen in the database, so that one that is known can renew its leases while the database takes nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pumice_db::{DbError, Worker, WorkerState};

use crate::{app::Shared, refusal::with_sources};

/// How long the database may take to say who a worker is, before its last word on that counts; see [`patience`].
const PATIENCE: Duration = Duration::from_secs(2);

/// A worker must hear that it may go on well before its lease is over.
fn patience(shared: &Shared) -> Duration {
    PATIENCE.min(shared.config.policy.lease / 12)
}

/// How long that word counts: a token that was changed elsewhere meanwhile is good no longer than this.
const REMEMBERED: Duration = Duration::from_secs(600);

/// A poll is noted in the database at most this often.
const PING_NOTED_EVERY: Duration = Duration::from_secs(15);

/// The workers that asked.
#[derive(Default)]
pub(crate) struct KnownWorkers(Mutex<HashMap<String, Known>>);

struct Known {
    worker: Worker,
    seen: Instant,
    /// When a poll of it was last noted, or tried to be.
    noted: Option<Instant>,
}

impl KnownWorkers {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker, from the database or, when that takes too long, as it was there not long ago.
    pub(super) async fn find(&self, shared: &Shared, hostname: &str) -> Result<Option<Worker>, DbError> {
        let asked = async { shared.database.read().await?.worker(hostname).await };
        match tokio::time::timeout(patience(shared), asked).await {
            Ok(Ok(found)) => {
                self.remember(hostname, found.as_ref());
                Ok(found)
            }
            Ok(Err(error)) if !error.is_temporary() => Err(error),
            Ok(Err(error)) => self.remembered(hostname).map_or(Err(error), |worker| Ok(Some(worker))),
            Err(_) => match self.remembered(hostname) {
                Some(worker) => Ok(Some(worker)),
                None => shared.database.read().await?.worker(hostname).await,
            },
        }
    }

    fn remember(&self, hostname: &str, found: Option<&Worker>) {
        let (mut known, now) = (self.lock(), Instant::now());
        match (known.get_mut(hostname), found) {
            (Some(known), Some(worker)) => (known.worker, known.seen) = (worker.clone(), now),
            (None, Some(worker)) => {
                known.insert(hostname.to_owned(), Known { worker: worker.clone(), seen: now, noted: None });
            }
            (_, None) => drop(known.remove(hostname)),
        }
    }

    fn remembered(&self, hostname: &str) -> Option<Worker> {
        let known = self.lock();
        known
            .get(hostname)
            .filter(|known| known.seen.elapsed() < REMEMBERED)
            .map(|known| known.worker.clone())
    }

    /// Notes in the database, now and then, that a worker was heard of. Nobody waits for it.
    pub(super) fn note_ping(&self, shared: &Arc<Shared>, worker: Worker) {
        let now = Instant::now();
        match self.lock().get_mut(&worker.hostname) {
            Some(known) if known.noted.is_none_or(|noted| now - noted >= PING_NOTED_EVERY) => {
                known.noted = Some(now);
            }
            _ => return,
        }
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let noted = async {
                let mut writer = shared.database.write().await?;
                let version = worker.version.as_deref().unwrap_or_default();
                let now = shared.clock.now();
                writer.ping_worker(&worker.hostname, WorkerState::Online, version, None, now).await?;
                writer.commit().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(error = with_sources(&error), "it was not noted that a worker was heard of");
            }
        });
    }
}

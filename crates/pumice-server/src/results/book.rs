//! Logs as they arrive: kept first, then read for results.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use pumice_db::Job;
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::ingest;
use crate::{
    app::Shared,
    refusal::Refusal,
    storage::{LogSize, Place, StoreError},
};

/// Logs that are being written: who reads them for results takes turns, and who follows them is woken.
#[derive(Default)]
pub(crate) struct LogBook {
    open: Mutex<HashMap<Place, Arc<OpenLog>>>,
}

#[derive(Default)]
struct OpenLog {
    /// How many lines were read for results. Begins at 0 when the server starts: a line that is read again gives the
    /// same result, which is kept once.
    read: AsyncMutex<u64>,
    grown: Notify,
}

impl LogBook {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn open(&self, place: Place) -> Arc<OpenLog> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(open.entry(place).or_default())
    }

    /// Forgets a log that will not grow; whoever follows it is woken a last time.
    pub(crate) fn close(&self, place: Place) {
        let removed = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
        if let Some(log) = removed {
            log.grown.notify_waiters();
        }
    }

    /// Waits until a log grows, or may have.
    pub(crate) async fn grown(&self, place: Place) {
        let log = self.open(place);
        log.grown.notified().await;
    }
}

/// Where the present giving of a job keeps its log.
pub(crate) fn place(job: &Job) -> Place {
    Place { job: job.id, fence: job.fence }
}

/// Adds bytes that begin at `offset` of the log: our worker's way.
pub(crate) async fn append_bytes(
    shared: &Arc<Shared>,
    job: &Job,
    offset: u64,
    bytes: Vec<u8>,
) -> Result<LogSize, StoreError> {
    let place = place(job);
    let limit = shared.config.log_limit.0;
    let end = offset.saturating_add(bytes.len() as u64);
    if job.is_finished() && end > size(shared, place).await?.bytes {
        return Err(StoreError::Ended);
    }
    if end > limit {
        return Err(StoreError::Io(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("the log of job {} would be larger than {}", job.id, shared.config.log_limit),
        )));
    }
    let storage = Arc::clone(&shared.storage);
    let size = tokio::task::spawn_blocking(move || storage.append_log(place, offset, &bytes)).await;
    let size = size.map_err(|error| StoreError::Io(std::io::Error::other(error)))??;
    after_growth(shared, job, size).await.map_err(|refusal| match refusal {
        Refusal::Unavailable(why) => StoreError::Unavailable(why),
        other => StoreError::Io(std::io::Error::other(other)),
    })?;
    Ok(size)
}

/// Adds lines, the first of which is number `index` of the log: LAVA's worker's way (lava-compat 3.6). Lines that are
/// there already are skipped.
pub(crate) async fn append_lines(
    shared: &Arc<Shared>,
    job: &Job,
    index: u64,
    lines: &str,
) -> Result<LogSize, StoreError> {
    let place = place(job);
    let have = size(shared, place).await?;
    let skipped = have.lines.checked_sub(index).ok_or(StoreError::Gap { have: have.lines, offset: index })?;
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let mut text = String::new();
    for line in lines.split('\n').skip(skipped) {
        text.push_str(line);
        text.push('\n');
    }
    if text.is_empty() {
        return Ok(have);
    }
    append_bytes(shared, job, have.bytes, text.into_bytes()).await
}

async fn after_growth(shared: &Arc<Shared>, job: &Job, size: LogSize) -> Result<(), Refusal> {
    let log = shared.logs.open(place(job));
    let read = read_for_results(shared, job, &log, size).await;
    // The lines are there, whatever became of their results.
    log.grown.notify_waiters();
    read
}

/// Reads for results what was not read yet, a piece at a time: after a restart of the server that is the whole log.
async fn read_for_results(
    shared: &Arc<Shared>,
    job: &Job,
    log: &OpenLog,
    size: LogSize,
) -> Result<(), Refusal> {
    let mut read = log.read.lock().await;
    while *read < size.lines {
        let text = read_lines(shared, place(job), *read, Some(size.lines), PIECE_BYTES).await?;
        ingest::ingest(shared, job, *read, &text).await?;
        let count = text.lines().count();
        if count == 0 {
            break;
        }
        *read += count as u64;
    }
    Ok(())
}

/// Reads for results whatever a job's log has: before its end is accepted, for a server may have been killed, or its database
/// may have taken nothing, between keeping lines and reading them. Answers how long the log is.
pub(crate) async fn settle(shared: &Arc<Shared>, job: &Job) -> Result<LogSize, Refusal> {
    let size = size(shared, place(job)).await?;
    after_growth(shared, job, size).await?;
    Ok(size)
}

/// What is read of a log at once.
pub(crate) const PIECE_BYTES: usize = 4 << 20;

/// Whole lines of a log, as many as fit in `limit` bytes. A first line that is longer is cut.
pub(crate) async fn read_lines(
    shared: &Shared,
    place: Place,
    first: u64,
    end: Option<u64>,
    limit: usize,
) -> Result<String, Refusal> {
    let storage = Arc::clone(&shared.storage);
    let bytes = tokio::task::spawn_blocking(move || storage.read_log(place, first, end, limit)).await;
    let bytes = bytes.map_err(|error| Refusal::Internal(error.to_string()))??;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        // A runner escapes what is not ASCII; whoever sent other bytes gets replacements back.
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// How long a log is.
pub(crate) async fn size(shared: &Shared, place: Place) -> Result<LogSize, std::io::Error> {
    let storage = Arc::clone(&shared.storage);
    tokio::task::spawn_blocking(move || storage.log_size(place)).await.map_err(std::io::Error::other)?
}

/// Bytes of a log.
pub(crate) struct Piece {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether the log has none beyond them.
    pub(crate) reaches_end: bool,
}

/// Bytes of a log from number `offset` on, at most `limit`.
pub(crate) async fn read_bytes(
    shared: &Shared,
    place: Place,
    offset: u64,
    limit: usize,
) -> Result<Piece, Refusal> {
    let storage = Arc::clone(&shared.storage);
    let read = tokio::task::spawn_blocking(move || {
        let bytes = storage.read_log_bytes(place, offset, limit)?;
        let size = storage.log_size(place)?;
        Ok::<_, std::io::Error>(Piece { reaches_end: offset + bytes.len() as u64 >= size.bytes, bytes })
    });
    Ok(read.await.map_err(|error| Refusal::Internal(error.to_string()))??)
}

//! Sends a runner's log to LAVA's server while the runner writes it: what LAVA's own runner does when its worker names the
//! server (`--url`, `--token`).

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pumice_client::{Backoff, LavaJob, LavaWorkerClient};

use super::lines::Lines;
use crate::clock::boot_millis;

/// How long a server that cannot be reached is asked again once the job is over.
const PATIENCE: Duration = Duration::from_secs(300);

/// A log that is followed, in a thread of its own.
#[derive(Debug)]
pub struct FollowedLog {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl FollowedLog {
    /// Follows `logs.yaml` in `output_dir`, sending what is new every `interval`.
    pub fn follow(
        client: LavaWorkerClient,
        job: LavaJob,
        output_dir: PathBuf,
        interval: Duration,
    ) -> io::Result<Self> {
        let (end, ended) = channel::<()>();
        let record = output_dir.join("lines.json");
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut lines = Lines::of_files(client, job, output_dir.join("logs.yaml"), record.clone());
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = lines.ship(false) {
                    tracing::warn!("the log cannot be sent yet: {error}");
                }
            }
            let (late, mut backoff) = (Instant::now() + PATIENCE, Backoff::new(boot_millis()));
            while let Err(error) = lines.ship(true) {
                if !error.is_temporary() || Instant::now() >= late {
                    tracing::error!("the end of the log cannot be sent: {error}");
                    break;
                }
                thread::sleep(backoff.pause());
            }
            // It is of no use to anybody any more, and may not be there.
            drop(std::fs::remove_file(record));
        })?;
        Ok(Self { end, thread })
    }

    /// Sends the rest, and returns when it is there.
    pub fn finish(self) {
        drop(self.end);
        // A thread that broke has said so.
        drop(self.thread.join());
    }
}

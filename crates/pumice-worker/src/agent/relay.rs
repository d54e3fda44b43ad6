//! What a node of a MultiNode job says and is told: two files of its directory, and the server. Nothing else is known here,
//! so that an agent that is started again goes on where the files and the server are.
//!
//! ```text
//!  job ── appends ──▶ group/out ── from where the server is ──▶ PUT jobs/ID/group
//!  job ◀── reads ──── group/in  ◀── from the file's end on ──── GET jobs/ID/group
//! ```

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pumice_api::{ProblemCode, worker::JobRef};
use pumice_client::{Backoff, ClientError, WorkerClient};

use super::{ship::whole_lines, task::is_stale};
use crate::{
    clock::boot_millis,
    job::{Directory, Wait},
    signal::Bell,
};

/// How long a request for words waits at the server.
const WAIT: Duration = Duration::from_secs(20);
/// An empty answer that comes sooner says that the server goes down.
const SOON: Duration = Duration::from_secs(1);
/// The most that is sent at once: a line of a node fits (docs/protocol/multinode.md).
const PIECE_BYTES: usize = 1 << 20;

/// What a node says, on its way to the server.
pub(crate) struct Words {
    client: WorkerClient,
    job: JobRef,
    path: PathBuf,
    /// How much the server has; 0 before it was asked.
    offset: u64,
    /// The server does not take what the node says.
    is_refused: bool,
}

impl Words {
    /// Those of a node; `None` for a job that is none.
    pub(crate) fn of(client: &WorkerClient, job: JobRef, directory: &Directory) -> Option<Self> {
        let path = directory.group()?.join("out");
        Some(Self { client: client.clone(), job, path, offset: 0, is_refused: false })
    }

    /// Sends what the server does not have yet, as far as it is whole lines.
    pub(crate) fn send(&mut self) -> Result<(), ClientError> {
        while !self.is_refused {
            // The node has said nothing as long as there is no file.
            let piece = whole_lines(&self.path, self.offset, PIECE_BYTES).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            match self.client.group_send(self.job, self.offset, &piece) {
                Ok(position) => self.offset = position.offset,
                Err(error) if error.code() == Some(ProblemCode::OffsetGap) => {
                    self.offset = error.problem().and_then(|problem| problem.offset).unwrap_or(0);
                }
                Err(error) if error.code() == Some(ProblemCode::Invalid) => {
                    tracing::error!(
                        job = self.job.job.0,
                        "the server does not understand this node: {error}"
                    );
                    self.is_refused = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The threads that pass words on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay(Arc<Ending>);

#[derive(Debug)]
struct Ending {
    is_over: AtomicBool,
    /// Ends a pause of the thread that sends.
    sends: Bell,
    /// Ends a pause of the thread that receives.
    receives: Bell,
}

impl Ending {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        self.try_again();
    }
}

impl Relay {
    /// Passes on what the node of `directory` says and is told; `None` for a job that is none.
    pub(crate) fn start(
        client: &WorkerClient,
        job: JobRef,
        directory: &Directory,
    ) -> std::io::Result<Option<Self>> {
        let (Some(group), Some(words)) = (directory.group(), Words::of(client, job, directory)) else {
            return Ok(None);
        };
        let ending =
            Arc::new(Ending { is_over: AtomicBool::new(false), sends: Bell::new()?, receives: Bell::new()? });
        let relay = Self(Arc::clone(&ending));
        let (client, told) = (client.clone(), Arc::clone(&ending));
        let wait = Wait::on(&group);
        thread::Builder::new()
            .name(format!("words of {}", job.job))
            .spawn(move || pass_on(words, &wait, &ending))?;
        thread::Builder::new()
            .name(format!("words for {}", job.job))
            .spawn(move || hand_over(&client, job, &group.join("in"), &told))?;
        Ok(Some(relay))
    }

    /// The server answers others: whoever pauses because it did not tries again.
    pub(crate) fn try_again(&self) {
        self.0.sends.ring();
        self.0.receives.ring();
    }
}

fn pass_on(mut words: Words, wait: &Wait, ending: &Ending) {
    let mut backoff = Backoff::new(boot_millis());
    while !ending.is_over() {
        let pause = match words.send() {
            Ok(()) => {
                backoff.reset();
                Duration::from_secs(30)
            }
            // The job's own thread finds that out, too.
            Err(error) if is_stale(&error) => return,
            Err(_) => backoff.pause(),
        };
        wait.until(None, &ending.sends, true, pause);
    }
}

fn hand_over(client: &WorkerClient, job: JobRef, path: &std::path::Path, ending: &Ending) {
    let mut backoff = Backoff::new(boot_millis() ^ job.job.0.unsigned_abs());
    while !ending.is_over() {
        let offset = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let asked = Instant::now();
        match client.group_receive(job, offset, WAIT) {
            Ok(bytes) if bytes.is_empty() && asked.elapsed() >= SOON => backoff.reset(),
            Ok(bytes) if !bytes.is_empty() => {
                backoff.reset();
                let mut options = OpenOptions::new();
                let written = options.append(true).create(true).open(path);
                // Not after the end: another agent may have taken over.
                if ending.is_over() {
                    return;
                }
                if let Err(error) = written.and_then(|mut file| file.write_all(&bytes)) {
                    tracing::error!(job = job.job.0, "a node cannot be told what it waits for: {error}");
                    ending.receives.wait(backoff.pause());
                }
            }
            Err(error) if is_stale(&error) => return,
            Ok(_) | Err(_) => ending.receives.wait(backoff.pause()),
        }
    }
}

//! What a worker needs to know.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use pumice_api::worker::{HostFacts, OfferedDevice};
use pumice_types::{ByteSize, WorkerName};

/// The program that runs one job. The job's directory is appended to its arguments; it finds there what
/// `docs/protocol/job-directory.md` says.
#[derive(Clone, Debug)]
pub struct JobProgram {
    /// The program.
    pub program: OsString,
    /// Its first arguments: for us `run --job-dir`.
    pub arguments: Vec<OsString>,
}

/// The program whose main calls [`crate::keeper_main`] with its last argument, a job's directory, and with the words
/// of its watcher; for us the very same binary with a hidden subcommand.
#[derive(Clone, Debug)]
pub struct KeeperProgram {
    /// The program.
    pub program: OsString,
    /// Its first arguments.
    pub arguments: Vec<OsString>,
}

/// How a worker of our own server works.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The name it goes by.
    pub name: WorkerName,
    /// Where it keeps its jobs; its own alone.
    pub state: PathBuf,
    /// What runs a job.
    pub job_program: JobProgram,
    /// What keeps a job.
    pub keeper: KeeperProgram,
    /// What the host has.
    pub host: HostFacts,
    /// How many jobs it takes at once; `None` for as many as fit.
    pub job_limit: Option<u32>,
    /// Devices that it can make.
    pub devices: Vec<OfferedDevice>,
    /// With less room than this where its state is, it takes no new job.
    pub least_free: ByteSize,
    /// Files larger than this are not sent to the server.
    pub largest_file: ByteSize,
    /// A job that was cancelled is killed after this, unless its clean-up may take longer (lava-compat 6.4: 120 s).
    pub kill_after: Duration,
}

impl WorkerConfig {
    /// The usual settings.
    pub fn new(name: WorkerName, state: PathBuf, job_program: JobProgram, keeper: KeeperProgram) -> Self {
        Self {
            name,
            state,
            job_program,
            keeper,
            host: HostFacts::default(),
            job_limit: None,
            devices: Vec::new(),
            least_free: ByteSize(2 << 30),
            largest_file: ByteSize(1 << 30),
            kill_after: Duration::from_secs(120),
        }
    }
}

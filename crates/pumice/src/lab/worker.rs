//! How a worker of this host runs jobs: each as a process of its own, which is this very program.

use std::{ffi::OsString, path::PathBuf};

use pumice_types::WorkerName;
use pumice_worker::{JobProgram, KeeperProgram, WorkerConfig};

use super::Host;

/// This program, as it was started.
pub(crate) fn program() -> OsString {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe")).into_os_string()
}

/// What keeps a job.
pub(crate) fn keeper() -> KeeperProgram {
    KeeperProgram { program: program(), arguments: vec!["__keep".into()] }
}

/// The settings of a worker that keeps its jobs in `state`.
pub(crate) fn worker_config(name: WorkerName, state: PathBuf, host: Host) -> WorkerConfig {
    let job = JobProgram { program: program(), arguments: vec!["__job".into()] };
    let mut config = WorkerConfig::new(name, state, job, keeper());
    config.host = host.facts;
    config.devices = host.devices;
    config
}

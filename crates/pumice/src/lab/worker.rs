//! How a worker of this host runs jobs: each as a process of its own, which is this very program.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

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

/// The words of a job's process that say where the job came from.
pub(crate) fn job_arguments(server: &str, ca_cert: Option<&Path>) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["__job", "--server", server].map(OsString::from).into();
    if let Some(path) = ca_cert {
        words.extend(["--ca-cert".into(), path.into()]);
    }
    words
}

/// The settings of a worker that keeps its jobs in `state`.
pub(crate) fn worker_config(
    name: WorkerName,
    state: PathBuf,
    host: Host,
    job_arguments: Vec<OsString>,
) -> WorkerConfig {
    let job = JobProgram { program: program(), arguments: job_arguments };
    let mut config = WorkerConfig::new(name, state, job, keeper());
    config.host = host.facts;
    config.devices = host.devices;
    config
}

//! What the tests share: a state directory, a job program, and waiting for things to be so.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use pumice_types::ByteSize;
use pumice_worker::{JobProgram, KeeperProgram, WorkerConfig};

/// How long a test waits for something that must come: only a test that fails waits that long.
const PATIENCE: Duration = Duration::from_secs(50);

pub(crate) fn keeper_body() {
    if let Some(last) = env::args_os().next_back()
        && Path::new(&last).join("offer.json").exists()
    {
        let watcher = one_test("this_program_is_also_its_own_watcher");
        assert_eq!(pumice_worker::keeper_main(Path::new(&last), watcher), ExitCode::SUCCESS);
    }
}

pub(crate) fn watcher_body() {
    if let Some(last) = env::args_os().next_back()
        && Path::new(&last).extension().is_some_and(|extension| extension == "ledger")
    {
        assert_eq!(pumice_process::watcher_main(Path::new(&last)), ExitCode::SUCCESS);
    }
}

/// The command line that runs one test of this program, with more arguments to come.
pub(crate) fn one_test(name: &str) -> Vec<OsString> {
    let program = env::current_exe().expect("/proc is there").into_os_string();
    let mut argv = vec![program];
    argv.extend(["--exact", name, "--nocapture"].map(OsString::from));
    argv
}

pub(crate) fn keeper() -> KeeperProgram {
    let mut argv = one_test("this_program_is_also_its_own_keeper");
    KeeperProgram { program: argv.remove(0), arguments: argv }
}

/// A directory for a worker, and a script that stands for the program that runs jobs.
pub(crate) struct World {
    directory: tempfile::TempDir,
}

impl World {
    /// The script runs in the job's directory, whose path is its last argument.
    pub(crate) fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("script"), script).expect("room for a script");
        Self { directory }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// A file beside the state, for scripts to say something in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn job_program(&self) -> JobProgram {
        let script = self.directory.path().join("script");
        JobProgram { program: "/bin/sh".into(), arguments: vec![script.into()] }
    }

    pub(crate) fn config(&self) -> WorkerConfig {
        let mut config = WorkerConfig::new("w1".into(), self.state(), self.job_program(), keeper());
        config.least_free = ByteSize(0);
        config
    }

    /// Whether any job's directory is left.
    pub(crate) fn is_clean(&self) -> bool {
        fs::read_dir(self.state().join("jobs")).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// The process whose id a script wrote into `name`, as long as it runs.
    pub(crate) fn process(&self, name: &str) -> Option<i32> {
        let pid: i32 = fs::read_to_string(self.path(name)).ok()?.trim().parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // A zombie runs no more.
        (!stat.rsplit(')').next()?.trim_start().starts_with('Z')).then_some(pid)
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

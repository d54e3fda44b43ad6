//! What the tests of this crate share: a guard whose watcher is the test program itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world fails")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part")]

use std::{
    env,
    ffi::OsString,
    future::Future,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use pumice_process::{Command, Guard, GuardOptions, MARK};
use pumice_types::Deadline;

/// Runs a future on a runtime like the one of a job's process.
pub(crate) fn in_runtime<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn shell(script: &str) -> Command {
    let command = Command::new("/bin/sh").env("PATH", "/usr/bin:/bin").arg("-c");
    if script.is_empty() { command } else { command.arg(script) }
}

/// The command line that runs one test of this program, with more arguments to come.
pub(crate) fn one_test(name: &str) -> Vec<OsString> {
    let program = env::current_exe().unwrap().into_os_string();
    let mut argv = vec![program];
    argv.extend(["--exact", name, "--nocapture"].map(OsString::from));
    argv
}

/// The test that is the watcher when it was started as one: the last argument is a ledger's path, which the
/// test harness takes for one more name of a test.
pub(crate) const WATCHER: &str = "this_program_is_also_its_own_watcher";

/// To be called by that test.
pub(crate) fn body() {
    if let Some(last) = env::args_os().next_back()
        && Path::new(&last).extension().is_some_and(|extension| extension == "ledger")
    {
        assert_eq!(pumice_process::watcher_main(Path::new(&last)), ExitCode::SUCCESS);
    }
}

pub(crate) fn options(state: &Path, cgroups: bool) -> GuardOptions {
    GuardOptions { state: state.to_owned(), watcher: one_test(WATCHER), cgroups }
}

/// A guard in a directory of its own.
pub(crate) struct World {
    directory: tempfile::TempDir,
    pub(crate) guard: Guard,
}

impl World {
    pub(crate) fn new(cgroups: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let guard = Guard::start(&options(&directory.path().join("state"), cgroups)).unwrap();
        Self { directory, guard }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The processes of the host that carry the guard's mark.
    pub(crate) fn survivors(&self) -> Vec<i32> {
        marked(self.guard.token())
    }

    /// Ends the guard and checks that neither a process nor a ledger is left.
    pub(crate) async fn finish(&self) {
        let deadline = Deadline::after(Instant::now(), Duration::from_secs(30), "the test");
        self.guard.finish(&deadline).await.unwrap();
        assert_eq!(self.survivors(), [0; 0]);
        assert!(!self.guard.ledger().path().exists());
    }
}

/// The ids of live processes whose environment carries this mark.
pub(crate) fn marked(token: &str) -> Vec<i32> {
    let mark = format!("{MARK}=");
    pids()
        .into_iter()
        .filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| {
                let entry = String::from_utf8_lossy(entry);
                entry.starts_with(&mark) && entry.contains(token)
            })
        })
        .collect()
}

/// The ids of the processes, zombies too, whose parent this is.
pub(crate) fn children_of(parent: i32) -> Vec<i32> {
    pids().into_iter().filter(|&pid| field(pid, 4) == Some(parent)).collect()
}

/// Whether a process with this id runs (and is no zombie).
pub(crate) fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect()
}

/// A number of `/proc/PID/stat`, counted from 1.
fn field(pid: i32, number: usize) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(number - 3)?.parse().ok()
}

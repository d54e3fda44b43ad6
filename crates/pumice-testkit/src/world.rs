//! A directory and a guard for what one test starts.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use pumice_process::{Guard, GuardOptions, MARK};
use pumice_types::Deadline;

/// How long anything in a test may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A guard in a directory of its own. The watcher is the test program itself, in the test named to [`World::new`].
pub struct World {
    directory: tempfile::TempDir,
    guard: Guard,
}

impl World {
    /// Makes it. `watcher` is the full name of the test that calls [`watcher`].
    ///
    /// # Panics
    ///
    /// When the host refuses.
    pub fn new(watcher: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("pumice-").tempdir().expect("a temporary directory");
        let program = env::current_exe().expect("the test program").into_os_string();
        let mut command = vec![program];
        command.extend(["--exact", watcher, "--nocapture"].map(OsString::from));
        let options = GuardOptions { state: directory.path().join("state"), watcher: command, cgroups: true };
        let guard = Guard::start(&options).expect("a guard");
        Self { directory, guard }
    }

    /// What everything is started under.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The processes of the host that carry the guard's mark and live.
    pub fn survivors(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| is_marked(*pid, self.guard.token())).collect()
    }

    /// Ends the guard and checks that no process is left.
    ///
    /// # Panics
    ///
    /// When one is.
    pub async fn finish(self) {
        let deadline = Deadline::after(Instant::now(), PATIENCE, "the test");
        self.guard.finish(&deadline).await.expect("every process can be ended");
        assert_eq!(self.survivors(), [0; 0], "processes are left");
    }
}

fn is_marked(pid: i32, token: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut entries = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    entries.any(|entry| entry.strip_prefix(MARK).is_some_and(|value| value.contains(token)))
}

/// The body of the test that is the watcher when it was started as one: the last argument is then a ledger's
/// path, which the test harness takes for one more name of a test.
///
/// # Panics
///
/// When the watcher could not do its work.
pub fn watcher() {
    if let Some(last) = env::args_os().next_back()
        && Path::new(&last).extension().is_some_and(|extension| extension == "ledger")
    {
        assert_eq!(pumice_process::watcher_main(Path::new(&last)), ExitCode::SUCCESS);
    }
}

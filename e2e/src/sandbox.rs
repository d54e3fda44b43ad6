//! A test's own corner of the machine.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Process, built};

/// The variable that marks every process of a sandbox.
const TOKEN: &str = "PUMICE_TEST_SANDBOX";

/// A directory with a home and caches of its own. Kept, and named, when its test fails; processes still
/// running in it are ended with it.
#[derive(Debug)]
pub struct Sandbox {
    directory: Option<TempDir>,
    path: PathBuf,
    token: String,
}

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// All it wrote to its standard output.
    pub stdout: String,
    /// All it wrote to its standard error.
    pub stderr: String,
}

/// A program that still runs. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    outputs: [PathBuf; 2],
}

impl Sandbox {
    /// A new one.
    ///
    /// # Panics
    /// When no directory can be made.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("pumice-e2e-").tempdir().unwrap();
        let path = fs::canonicalize(directory.path()).unwrap();
        let token = format!("{TOKEN}={}", path.display());
        Self { directory: Some(directory), path, token }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file and returns its path. Directories above it are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// A program of the workspace with its arguments, to run here. Its settings, caches and state lie below
    /// the sandbox.
    pub fn command<A: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
        self.foreign(built(program), arguments)
    }

    /// As [`Sandbox::command`], for any program.
    pub fn foreign<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.path).stdin(Stdio::null()).env(TOKEN, &self.path);
        command.env("HOME", &self.path).env("TMPDIR", &self.path).env("TERM", "dumb").env_remove("CI");
        for (variable, directory) in
            [("XDG_CACHE_HOME", "cache"), ("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config")]
        {
            command.env(variable, self.path.join(directory));
        }
        command.env("XDG_RUNTIME_DIR", self.path.join("runtime"));
        command
    }

    /// Runs `pumice` to its end.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn pumice<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Finished {
        self.start(&mut self.command("pumice", arguments)).wait(limit)
    }

    /// Starts a command with its output going to files, so that it never blocks on a full pipe.
    pub fn start(&self, command: &mut Command) -> Running {
        let count = fs::read_dir(&self.path).unwrap().count();
        let outputs = ["stdout", "stderr"].map(|name| self.path.join(format!("{name}.{count}")));
        let [stdout, stderr] =
            [&outputs[0], &outputs[1]].map(|path| fs::File::create(path).unwrap().into_parts().0);
        let child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        Running { child: Some(child), outputs }
    }

    /// The processes that were started here and are alive.
    pub fn processes(&self) -> Vec<Process> {
        let mut all = Process::all();
        all.retain(|process| process.belongs_to(&self.token, &self.path));
        all
    }

    /// Nothing that was started here is alive, at the latest `limit` from now.
    ///
    /// # Panics
    /// When something is; its command line is shown.
    pub fn is_empty_within(&self, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            let shown: Vec<String> = left.iter().map(ToString::to_string).collect();
            assert!(Instant::now() < end, "still alive after {limit:?}:\n{}", shown.join("\n"));
            thread::sleep(POLL);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let end = Instant::now() + END_OF_THE_KILLED;
        loop {
            let left = self.processes();
            left.iter().for_each(Process::kill);
            if left.is_empty() || Instant::now() > end {
                break;
            }
            thread::sleep(POLL);
        }
        let Some(directory) = self.directory.take() else { return };
        if thread::panicking() {
            println!("the test's directory is kept: {}", directory.keep().display());
        } else if let Err(error) = directory.close() {
            println!("the test's directory {} could not be removed: {error}", self.path.display());
        }
    }
}

impl Running {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// What it has written so far: standard output and standard error.
    pub fn output(&self) -> [String; 2] {
        [&self.outputs[0], &self.outputs[1]]
            .map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())
    }

    /// Waits until what it wrote, on either stream, contains `text`.
    ///
    /// # Panics
    /// When it does not within `limit`, or ends before.
    pub fn wait_for(&mut self, text: &str, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let has_ended = self.child.as_mut().unwrap().try_wait().unwrap().is_some();
            let output = self.output();
            if output.iter().any(|stream| stream.contains(text)) {
                return;
            }
            assert!(!has_ended && Instant::now() < end, "no `{text}` within {limit:?}:\n{}", output.concat());
            thread::sleep(POLL);
        }
    }

    /// As [`Running::wait`]; also says the most memory that it held at once, in bytes (`VmHWM`, proc(5)).
    ///
    /// # Panics
    /// When it does not end within `limit`; what it wrote is shown.
    pub fn wait_measured(mut self, limit: Duration) -> (Finished, u64) {
        let end = Instant::now() + limit;
        let mut peak_kib = 0;
        while self.child.as_mut().unwrap().try_wait().unwrap().is_none() && Instant::now() < end {
            let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
            let held = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let held = held.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            peak_kib = held.unwrap_or_default().max(peak_kib);
            thread::sleep(POLL);
        }
        (self.wait(end.saturating_duration_since(Instant::now())), peak_kib * 1024)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within `limit`; what it wrote is shown.
    pub fn wait(mut self, limit: Duration) -> Finished {
        let end = Instant::now() + limit;
        loop {
            let status = self.child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = status {
                self.child = None;
                let [stdout, stderr] = self.output();
                return Finished { status, stdout, stderr };
            }
            assert!(Instant::now() < end, "has not ended within {limit:?}:\n{}", self.output().concat());
            thread::sleep(POLL);
        }
    }
}

/// How often a fact is looked at that nothing announces.
const POLL: Duration = Duration::from_millis(10);

/// How long a killed process may take to be gone before nobody waits for it any more.
const END_OF_THE_KILLED: Duration = Duration::from_secs(5);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

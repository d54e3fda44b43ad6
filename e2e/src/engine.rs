//! The stand-in for a container engine, `container-engine/engine.sh`.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use fs_err as fs;

use crate::{Missing, Running, Sandbox, Signal};

/// A running engine with a client of its own on a `PATH` of its own.
pub struct ContainerEngine {
    state: PathBuf,
    programs: PathBuf,
    running: Option<Running>,
}

/// How long the engine may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(20);

impl ContainerEngine {
    /// Whether this machine can run containers of the stand-in: it makes namespaces.
    ///
    /// # Errors
    /// When it cannot, with the reason.
    pub fn find() -> Result<(), Missing> {
        let is_root = rustix::process::geteuid().is_root();
        let own: &[&str] = if is_root { &[] } else { &["--user", "--map-root-user"] };
        let made = Command::new("unshare").args(own).args(["--mount", "--pid", "--fork", "true"]).status();
        if made.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        Err(Missing::rare("right to make namespaces, which the stand-in for a container engine needs"))
    }

    /// Starts an engine whose client is called `client`: `docker` or `podman`.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(sandbox: &Sandbox, client: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("container-engine/engine.sh");
        let (state, programs) = (sandbox.path().join("engine"), sandbox.path().join("programs"));
        fs::create_dir_all(&programs).unwrap();
        symlink(&script, programs.join(client)).unwrap();
        let mut command = sandbox.foreign(&script, ["daemon".as_ref(), state.as_os_str()]);
        let mut running = sandbox.start(&mut command);
        running.wait_for("the engine is ready", PATIENCE);
        Self { state, programs, running: Some(running) }
    }

    /// Lets a command find the client, and the client the engine.
    pub fn serve(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.programs.display()));
        command.env("DOCKER_HOST", format!("unix://{}", self.state.join("engine.sock").display()));
    }

    /// An image that can be pulled, with files of this host in it: where they are here and there.
    pub fn publish(&self, image: &str, files: &[(&Path, &str)]) -> PathBuf {
        let directory = self.state.join("registry").join(image.replace(['/', ':'], "_"));
        fs::create_dir_all(&directory).unwrap();
        let lines = files.iter().map(|(source, target)| format!("{}\t{target}\trw\n", source.display()));
        fs::write(directory.join("mounts"), lines.collect::<String>()).unwrap();
        directory
    }

    /// Every call of the client so far, one a line.
    pub fn calls(&self) -> String {
        fs::read_to_string(self.state.join("calls")).unwrap_or_default()
    }

    /// The containers that are there.
    pub fn containers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state.join("containers")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// The compositions whose services run.
    pub fn compositions(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state.join("projects")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// Waits until there is none.
    ///
    /// # Panics
    /// When there still is one after `limit`.
    pub fn is_empty_within(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while !self.containers().is_empty() {
            assert!(Instant::now() < end, "still there: {:?}\n{}", self.containers(), self.calls());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the engine, which leaves its containers running.
    ///
    /// # Panics
    /// When it was ended before.
    pub fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.signal(Signal::KILL);
    }
}

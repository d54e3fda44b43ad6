//! The process of one node.

use std::{
    env, fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pumice_multinode::Member;
use pumice_process::{Child, Command, Exit as ProcessExit, Signal, Status, Stdio};
use pumice_types::{Blame as _, Cause, Deadline, Failure};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    task::JoinHandle,
};

use crate::{
    cli::{Format, RunArgs},
    execute::GroupPlace,
    exit::Exit,
    host::Prepared,
    input::NodeInput,
    terminal::print_error,
};

/// What a node's process is told, beside the command line that started the group.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeFile {
    /// Which of the job's nodes, from 0.
    pub(crate) index: usize,
    /// What messages call the job.
    pub(crate) name: String,
    /// The job's text: what was planned runs, also when the file has changed since.
    pub(crate) text: String,
    /// Where its log, results and transcripts go.
    pub(crate) output_dir: PathBuf,
    /// Where its group is.
    pub(crate) group: GroupPlace,
}

impl NodeFile {
    /// Reads what [`Node::start`] wrote.
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// For this user's eyes only: a job may hold secrets.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path)?;
        Ok(serde_json::to_writer(file, self)?)
    }
}

/// A node whose process runs.
pub(crate) struct Node {
    pub(crate) member: Member,
    pub(crate) is_essential: bool,
    pub(crate) output_dir: PathBuf,
    child: Child,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<()>,
}

/// The most a node may print as its summary.
const SUMMARY_LIMIT_BYTES: u64 = 64 << 20;

/// How long the last output of a node's process may take once it has ended.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// Starts it, with the same command line and environment as the group's.
    pub(crate) fn start(
        input: &NodeInput,
        file: NodeFile,
        args: &RunArgs,
        prepared: &Prepared,
    ) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| {
            Failure::new(Cause::HostRefused, format!("cannot start node {}: {error}", input.member.name))
        };
        fs::create_dir_all(&file.output_dir).map_err(refused)?;
        let path = prepared.host.work_dir.join(format!("node-{}", input.member.id));
        file.write(&path).map_err(refused)?;
        let own = env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
        let directory = env::current_dir().map_err(refused)?;
        let command = Command::new(own)
            .args(env::args_os().skip(1))
            .arg("--node")
            .arg(path)
            .envs(env::vars_os())
            .directory(directory)
            .stdout(Stdio::Piped)
            .stderr(Stdio::Piped);
        let mut child = prepared.host.guard.spawn(&command).map_err(|error| error.failure())?;
        let stdout = tokio::spawn(whole(child.stdout.take()));
        // Programs read the report; nobody reads on the way.
        let shown = (args.format == Format::Text).then(|| input.member.name.clone());
        let stderr = tokio::spawn(pass_on(child.stderr.take(), shown));
        Ok(Self {
            member: input.member.clone(),
            is_essential: input.job.node.as_ref().is_some_and(|node| node.essential),
            output_dir: file.output_dir,
            child,
            stdout,
            stderr,
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        drop(self.child.signal(signal));
    }

    pub(crate) async fn kill(&self, deadline: &Deadline) {
        drop(self.child.kill_all(deadline).await);
    }

    /// The last of its output, once its process has ended.
    pub(crate) async fn finish(self) -> Finished {
        let exit = self.child.wait().await;
        let stdout = tokio::time::timeout(OUTPUT_PATIENCE, self.stdout).await;
        let _ = tokio::time::timeout(OUTPUT_PATIENCE, self.stderr).await;
        let deadline = Deadline::after(Instant::now(), OUTPUT_PATIENCE, "the end of the node");
        drop(self.child.kill_all(&deadline).await);
        Finished { exit, stdout: stdout.ok().and_then(Result::ok).unwrap_or_default() }
    }
}

/// Resolves with the place of a node whose process has ended. Cancel-safe.
pub(crate) async fn any_ended(nodes: &[Node]) -> usize {
    let mut waits: Vec<_> = nodes.iter().map(|node| Box::pin(node.child.wait())).collect();
    std::future::poll_fn(|context| {
        let ended = waits.iter_mut().position(|wait| wait.as_mut().poll(context).is_ready());
        ended.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

/// How a node's process ended.
#[derive(Debug)]
pub(crate) struct Finished {
    exit: ProcessExit,
    /// Its summary, or its report as JSON.
    pub(crate) stdout: Vec<u8>,
}

impl Finished {
    /// The exit code, where it ended by itself.
    fn code(&self) -> Option<u8> {
        match self.exit.status {
            Status::Code(code) => u8::try_from(code).ok(),
            _ => None,
        }
    }

    /// Whether its job is complete and a case failed.
    pub(crate) fn tests_failed(&self) -> bool {
        self.code() == Some(Exit::TestsFailed.code())
    }

    /// The failure that the end of the process is by itself: it did not live to tell its own.
    pub(crate) fn failure(&self, name: &str) -> Option<Failure> {
        let complete = [Exit::Success.code(), Exit::TestsFailed.code()];
        if self.code().is_some_and(|code| complete.contains(&code)) {
            return None;
        }
        let message = format!("the process of node {name} ended: it {}", self.exit.status);
        Some(Failure::new(Cause::HostRefused, message).hint("its own output says why"))
    }
}

async fn whole(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        drop(stream.take(SUMMARY_LIMIT_BYTES).read_to_end(&mut bytes).await);
    }
    bytes
}

/// Prints each line behind the node's name; reads and drops them when there is no name.
async fn pass_on(stream: Option<impl AsyncRead + Unpin>, name: Option<String>) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|count| count > 0) {
        if let Some(name) = &name {
            print_error(&format!("{name}: {}", String::from_utf8_lossy(&line).trim_end()));
        }
        line.clear();
    }
}

//! A running child.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pumice_types::Deadline;
use rustix::{
    io::Errno,
    process::{Pid, Signal},
};
use tokio::{io::unix::AsyncFd, net::unix::pipe};

use crate::{
    cgroup::Cgroup,
    exit::{Exit, Look, look},
    guard::Shared,
    kill::{LeftBehind, Pauses, Search, Tree, unregister},
    ledger::Thing,
    lifeline::Lifeline,
    procfs::Process,
    terminal::Terminal,
};

/// How long dropping a child may block for what it started to be gone.
const DROP_PATIENCE: Duration = Duration::from_secs(2);

/// A process that was started under a [`crate::Guard`], with all that it starts. Dropping it kills all of it.
///
/// The process stays a zombie until [`Child::kill_all`] or the drop, so that its id, process group and
/// session are ours all the time and a signal never meets a stranger.
#[derive(Debug)]
pub struct Child {
    /// Our end of its standard input, when that is piped.
    pub stdin: Option<pipe::Sender>,
    /// Our end of its standard output, when that is piped.
    pub stdout: Option<pipe::Receiver>,
    /// Our end of its standard error, when that is piped.
    pub stderr: Option<pipe::Receiver>,
    /// Our side of its pseudo-terminal, when it has one.
    pub terminal: Option<Terminal>,
    pub(crate) lineage: Lineage,
}

/// Everything of a child but its streams.
#[derive(Debug)]
pub(crate) struct Lineage {
    pub(crate) pid: Pid,
    pub(crate) pidfd: AsyncFd<OwnedFd>,
    pub(crate) session: Thing,
    pub(crate) cgroup: Option<Cgroup>,
    pub(crate) mark: String,
    pub(crate) exit: OnceLock<Exit>,
    pub(crate) gone: AtomicBool,
    pub(crate) guard: Arc<Shared>,
}

impl Child {
    /// Its process id, which is also that of its process group and session.
    pub fn pid(&self) -> i32 {
        self.lineage.pid.as_raw_nonzero().get()
    }

    /// Resolves when the process itself has ended; what it started may still run. Cancel-safe, and may be
    /// called again and from several places: once ended, it resolves at once.
    pub async fn wait(&self) -> Exit {
        loop {
            if let Some(exit) = self.try_wait() {
                return exit;
            }
            match self.lineage.pidfd.readable().await {
                Ok(mut ready) => {
                    if self.try_wait().is_none() {
                        ready.clear_ready();
                    }
                }
                // The runtime is shutting down; the last word is the kernel's.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// How it ended; `None` while it runs.
    pub fn try_wait(&self) -> Option<Exit> {
        self.lineage.exit()
    }

    /// Tells of its end, for a task of its own.
    pub fn lifeline(&self) -> io::Result<Lifeline> {
        Lifeline::new(&self.lineage.pidfd)
    }

    /// Sends a signal to its process group. Succeeds when nobody is left to receive it.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.lineage.gone.load(Ordering::Acquire) {
            return Ok(());
        }
        match rustix::process::kill_process_group(self.lineage.pid, signal) {
            Err(Errno::SRCH) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What is alive of it and of what it started.
    pub fn processes(&self) -> Vec<Process> {
        if self.lineage.gone.load(Ordering::Acquire) { Vec::new() } else { self.lineage.tree().find() }
    }

    /// Kills it with everything it started, also what made itself a daemon, and returns when `/proc` and the
    /// cgroup show nothing of it. Says how the process itself ended.
    pub async fn kill_all(&self, deadline: &Deadline) -> Result<Exit, LeftBehind> {
        let mut pauses = Pauses::new();
        loop {
            if let Some(exit) = self.lineage.strike() {
                return Ok(exit);
            }
            if deadline.is_over(Instant::now()) {
                return Err(LeftBehind { processes: self.processes() });
            }
            tokio::time::sleep(pauses.next()).await;
        }
    }
}

impl Lineage {
    fn exit(&self) -> Option<Exit> {
        if let Some(exit) = self.exit.get() {
            return Some(*exit);
        }
        let exit = look(self.pidfd.as_fd(), Look::Leave)?;
        Some(*self.exit.get_or_init(|| exit))
    }

    fn tree(&self) -> Tree<'_> {
        Tree {
            cgroup: self.cgroup.as_ref(),
            sessions: vec![self.pid.as_raw_nonzero().get()],
            mark: &self.mark,
            search: if self.cgroup.is_some() { Search::Cgroup } else { Search::Descendants },
        }
    }

    /// One round of killing. `Some` when nothing was left to kill, after which the child is forgotten.
    fn strike(&self) -> Option<Exit> {
        if self.gone.load(Ordering::Acquire) {
            return self.exit();
        }
        if self.tree().strike().is_some() {
            return None;
        }
        let exit = self.exit()?;
        self.gone.store(true, Ordering::Release);
        look(self.pidfd.as_fd(), Look::Reap);
        unregister(self.pid.as_raw_nonzero().get());
        if let Some(cgroup) = &self.cgroup {
            // An empty cgroup that will not go is removed with the run's.
            drop(cgroup.remove());
        }
        // A ledger that names a session too many costs the next start one look.
        drop(self.guard.ledger.gone(&self.session));
        Some(exit)
    }
}

impl Drop for Lineage {
    fn drop(&mut self) {
        let end = Instant::now() + DROP_PATIENCE;
        let mut pauses = Pauses::new();
        while self.strike().is_none() && Instant::now() < end {
            thread::sleep(pauses.next());
        }
    }
}

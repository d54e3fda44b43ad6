//! The guard of a run: who ends everything when the run ends, whichever way it ends.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pumice_types::{Blame, Cause, Deadline};
use rustix::process::{Pid, PidfdFlags};
use tokio::{io::Interest, net::unix::pipe};

use crate::{
    cgroup::{self, Cgroup},
    child::{Child, Lineage},
    command::Command,
    exit::{Look, look},
    kill::{LeftBehind, Pauses, Search, Tree, register, unregister},
    ledger::{Ledger, LedgerError, Thing},
    procfs::{Process, fresh_token},
    readiness,
    reconcile::remove_path,
    spawn::{SpawnError, Started, spawn},
    terminal::Terminal,
    watcher::start_watcher,
};

/// How long the end of a guard may block for its watcher.
const WATCHER_PATIENCE: Duration = Duration::from_secs(2);

/// The guards of this program that have not finished. The last of them answers for orphans without a mark.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// What a guard needs to know.
#[derive(Clone, Debug)]
pub struct GuardOptions {
    /// Where ledgers are kept; made when it is not there. Shared by all runs of a user on a host.
    pub state: PathBuf,
    /// The program and first arguments that call [`crate::watcher_main`]; the ledger's path is appended. As a
    /// rule `/proc/self/exe` and a hidden subcommand.
    pub watcher: Vec<OsString>,
    /// Whether to use cgroups where the host allows it.
    pub cgroups: bool,
}

/// How well children are contained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containment {
    /// In a cgroup that is killed as one: nothing escapes without privilege.
    Cgroup {
        /// The run's directory.
        path: PathBuf,
    },
    /// By session, parent and mark: a daemon that clears its environment may outlive a run that is killed.
    Sessions {
        /// Why there is no cgroup, for a person.
        why: String,
    },
}

/// A guard could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Its ledger could not be made.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its watcher could not be started.
    #[error("cannot start the watcher `{program}`")]
    Watcher {
        /// What was to be started.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The host lacks something we need.
    #[error("cannot {action}")]
    Host {
        /// What was tried.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blame for GuardError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Ledger(error) => error.root_cause(),
            Self::Watcher { .. } | Self::Host { .. } => Cause::HostRefused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Watcher { .. } => None,
            Self::Host { .. } => Some("Linux 5.4 or later with /proc mounted is needed".into()),
        }
    }
}

/// Sees to it that nothing a run starts outlives the run. Start it first, on the main thread, before other
/// threads; copies share it. When the last copy and the last [`Child`] are dropped without
/// [`Guard::finish`], the watcher cleans up.
#[derive(Clone, Debug)]
pub struct Guard {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    token: String,
    pub(crate) ledger: Ledger,
    cgroup: Option<(Cgroup, Thing)>,
    /// Why there is no cgroup, or why it is no longer used.
    why_not: OnceLock<String>,
    spawned: AtomicU64,
    finished: AtomicBool,
    watcher: Mutex<Option<Watcher>>,
}

/// Our end of the watcher.
#[derive(Debug)]
struct Watcher {
    pid: i32,
    pidfd: OwnedFd,
    pipe: OwnedFd,
}

impl Guard {
    /// Makes the ledger, starts the watcher, and prepares a cgroup where the host allows it. From now on
    /// orphaned processes below us become our children (`PR_SET_CHILD_SUBREAPER`).
    pub fn start(options: &GuardOptions) -> Result<Self, GuardError> {
        let host = |action| move |source| GuardError::Host { action, source };
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|error| host("adopt orphaned processes")(error.into()))?;
        let token = fresh_token().map_err(host("read a random number from the kernel"))?;
        let ledger = Ledger::create(&options.state, &token)?;
        let (started, pipe) =
            start_watcher(&options.watcher, ledger.path()).map_err(|source| GuardError::Watcher {
                program: options.watcher.first().cloned().unwrap_or_default().to_string_lossy().into_owned(),
                source,
            })?;
        let pidfd = open_pidfd(started).map_err(host("open a handle of the watcher"))?;
        register(started);
        let watcher = Mutex::new(Some(Watcher { pid: started, pidfd, pipe }));
        let why_not = OnceLock::new();
        let cgroup = match make_cgroup(options.cgroups, &token, &ledger) {
            Ok(made) => Some(made),
            Err(why) => {
                why_not.get_or_init(|| why);
                None
            }
        };
        let shared = Shared {
            token,
            ledger,
            cgroup,
            why_not,
            spawned: AtomicU64::new(0),
            finished: AtomicBool::new(false),
            watcher,
        };
        LIVE.fetch_add(1, Ordering::AcqRel);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What marks this run: a UUID.
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Where to note what else is made on behalf of the run.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// How well children are contained.
    pub fn containment(&self) -> Containment {
        match (self.shared.why_not.get(), &self.shared.cgroup) {
            (None, Some((cgroup, _))) => Containment::Cgroup { path: cgroup.path().to_owned() },
            (why, _) => Containment::Sessions { why: why.cloned().unwrap_or_default() },
        }
    }

    /// Starts a program. To be called inside a tokio runtime, on a thread that lives at least as long as the
    /// child: the kernel kills the child when the thread that started it ends.
    pub fn spawn(&self, command: &Command) -> Result<Child, SpawnError> {
        let number = self.shared.spawned.fetch_add(1, Ordering::Relaxed) + 1;
        let mark = format!("{}.{number}", self.shared.token);
        let (started, cgroup) = self.spawn_contained(command, &mark, number)?;
        let failed = |source| SpawnError::Refused { program: command.name().to_owned(), source };
        match self.adopt(started, cgroup, mark, command.name()) {
            Ok(child) => child.map_err(SpawnError::Ledger),
            Err(source) => Err(failed(source)),
        }
    }

    /// Starts it in a cgroup of its own. Where the host refuses that after all, without; and the guard
    /// remembers why.
    fn spawn_contained(
        &self,
        command: &Command,
        mark: &str,
        number: u64,
    ) -> Result<(Started, Option<Cgroup>), SpawnError> {
        let parent = self.shared.cgroup.as_ref().filter(|_| self.shared.why_not.get().is_none());
        let Some((run, _)) = parent else { return Ok((spawn(command, mark, None)?, None)) };
        let entered = Cgroup::create(run.path(), &number.to_string())
            .and_then(|cgroup| Ok((cgroup.entrance()?, cgroup)));
        let (entrance, cgroup) = match entered {
            Ok(made) => made,
            Err(error) => return self.spawn_without(command, mark, &error),
        };
        match spawn(command, mark, Some(entrance)) {
            Ok(started) => Ok((started, Some(cgroup))),
            Err(SpawnError::Refused { source, .. }) => {
                drop(cgroup.remove());
                self.spawn_without(command, mark, &source)
            }
            Err(error) => {
                drop(cgroup.remove());
                Err(error)
            }
        }
    }

    /// When this succeeds it was the cgroup that was refused, not the program.
    fn spawn_without(
        &self,
        command: &Command,
        mark: &str,
        error: &io::Error,
    ) -> Result<(Started, Option<Cgroup>), SpawnError> {
        let started = spawn(command, mark, None)?;
        self.shared.why_not.get_or_init(|| format!("the host refused to move a process: {error}"));
        Ok((started, None))
    }

    /// Makes a child of a started process. Whatever fails, the process is killed, not lost.
    fn adopt(
        &self,
        started: Started,
        cgroup: Option<Cgroup>,
        mark: String,
        name: &str,
    ) -> io::Result<Result<Child, LedgerError>> {
        register(started.pid);
        let ends = started.ends;
        let start_ticks = Process::read(started.pid).map_or(0, |process| process.start_ticks);
        let session = Thing::Session { pid: started.pid, start_ticks, name: name.to_owned() };
        let pid = Pid::from_raw(started.pid).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = readiness::register(open_pidfd(started.pid)?, Interest::READABLE)?;
        let lineage = Lineage {
            pid,
            pidfd,
            session: session.clone(),
            cgroup,
            mark,
            exit: OnceLock::new(),
            gone: AtomicBool::new(false),
            guard: Arc::clone(&self.shared),
        };
        if let Err(error) = self.shared.ledger.made(session) {
            return Ok(Err(error));
        }
        Ok(Ok(Child {
            stdin: ends.stdin.map(pipe::Sender::from_owned_fd).transpose()?,
            stdout: ends.stdout.map(pipe::Receiver::from_owned_fd).transpose()?,
            stderr: ends.stderr.map(pipe::Receiver::from_owned_fd).transpose()?,
            terminal: ends.terminal.map(Terminal::from_descriptor).transpose()?,
            lineage,
        }))
    }

    /// Kills whatever is left of the run's processes (without cgroups, and where this is the program's only guard,
    /// also every orphan below us in a session of its own), removes the files and directories its ledger lists,
    /// and ends the watcher. What else the ledger lists stays there for [`crate::reconcile`].
    pub async fn finish(&self, deadline: &Deadline) -> Result<(), LeftBehind> {
        let shared = &self.shared;
        let mut pauses = Pauses::new();
        while let Some(found) = shared.tree().strike() {
            if deadline.is_over(Instant::now()) {
                return Err(LeftBehind { processes: found });
            }
            tokio::time::sleep(pauses.next()).await;
        }
        shared.close();
        Ok(())
    }
}

impl Shared {
    fn tree(&self) -> Tree<'_> {
        let is_contained = self.cgroup.is_some() && self.why_not.get().is_none();
        // Sessions of live children are theirs to end; those that are gone may belong to strangers.
        Tree {
            cgroup: self.cgroup.as_ref().map(|(cgroup, _)| cgroup),
            sessions: Vec::new(),
            mark: &self.token,
            search: match LIVE.load(Ordering::Acquire) {
                _ if is_contained => Search::Cgroup,
                1 => Search::EverywhereAndAdopted,
                _ => Search::Everywhere,
            },
        }
    }

    /// Removes what the ledger lists, closes it, and lets the watcher go. Does nothing the second time.
    fn close(&self) {
        if self.finished.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some((cgroup, thing)) = &self.cgroup
            && cgroup.remove().is_ok()
        {
            drop(self.ledger.gone(thing));
        }
        for thing in self.ledger.things().iter().rev() {
            let removed = match thing {
                Thing::Directory { path, identity } | Thing::File { path, identity } => {
                    remove_path(path, *identity).is_ok()
                }
                // Every process was found to be gone.
                Thing::Session { .. } => true,
                Thing::Container { engine, name } => engine.remove(name).is_ok(),
                Thing::Composition { compose, project, file } => {
                    compose.remove_composition(project, file).is_ok()
                }
                _ => false,
            };
            if removed {
                drop(self.ledger.gone(thing));
            }
        }
        drop(self.ledger.close());
        self.dismiss_watcher();
    }

    /// Closes the pipe and waits for the watcher, which finishes what the ledger still lists.
    fn dismiss_watcher(&self) {
        self.ledger.release();
        let Some(watcher) = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        drop(watcher.pipe);
        let end = Instant::now() + WATCHER_PATIENCE;
        let mut pauses = Pauses::new();
        while look(watcher.pidfd.as_fd(), Look::Reap).is_none() && Instant::now() < end {
            thread::sleep(pauses.next());
        }
        unregister(watcher.pid);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::AcqRel);
        self.dismiss_watcher();
    }
}

/// The run's cgroup, in the ledger before it is made.
fn make_cgroup(wanted: bool, token: &str, ledger: &Ledger) -> Result<(Cgroup, Thing), String> {
    if !wanted {
        return Err("cgroups are switched off".into());
    }
    let parent = cgroup::own_directory()?;
    let name = format!("pumice-{token}");
    let thing = Thing::Cgroup { path: parent.join(&name) };
    ledger.made(thing.clone()).map_err(|error| error.to_string())?;
    match Cgroup::create(&parent, &name) {
        Ok(cgroup) => Ok((cgroup, thing)),
        Err(error) => {
            drop(ledger.gone(&thing));
            Err(format!("no cgroup can be made in {}: {error}", parent.display()))
        }
    }
}

fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?)
}

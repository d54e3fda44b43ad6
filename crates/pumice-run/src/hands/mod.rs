//! Hands on the machines of a run: what a person asks over its control socket (`docs/protocol/control.md`).
//!
//! Consoles can be followed and typed into whatever the run does. Everything else waits for a block that holds the machines
//! still (`command: hold`): until then they belong to the job's own steps.

mod connection;
mod guest_file;

use std::{
    collections::BTreeMap,
    io,
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use pumice_api::control;
use pumice_console::Sender;
use pumice_types::{Cause, Failure};
use tokio::{
    net::UnixListener,
    sync::{mpsc, oneshot},
};

/// What people may do with the machines of one run. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Hands(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The consoles of each machine that was started, by namespace; none while it is stopped.
    machines: BTreeMap<String, Vec<Line>>,
    /// Where wishes go while the machines are held.
    held: Option<mpsc::Sender<Wish>>,
}

/// A console that can be followed.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    sender: Sender,
    /// Whether somebody types.
    is_written: Arc<AtomicBool>,
}

impl Line {
    /// Makes the caller the one who types, until the answer is dropped; `None` when there is one.
    fn write(&self) -> Option<Writing> {
        let was = self.is_written.swap(true, Ordering::AcqRel);
        (!was).then(|| Writing(Arc::clone(&self.is_written)))
    }
}

/// The right to type into a console.
struct Writing(Arc<AtomicBool>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What only the runner can do.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The machine, by namespace.
    pub(crate) machine: String,
    /// What.
    pub(crate) what: What,
    /// Told what came of it.
    pub(crate) reply: oneshot::Sender<Result<Ran, Failure>>,
}

/// What is wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Start,
    Stop,
    Restart,
    /// Run a line in the guest's shell.
    Shell(String),
    /// Go on with the job.
    Release,
}

/// What came of a wish.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    /// The exit status of a line.
    pub(crate) status: u32,
    /// What the console showed while it ran.
    pub(crate) output: Vec<u8>,
}

/// The entry of a machine's consoles, which ends with the machine.
#[derive(Debug)]
pub(crate) struct Entered {
    hands: Hands,
    machine: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(lines) = self.hands.known().machines.get_mut(&self.machine) {
            lines.clear();
        }
    }
}

/// The machines are held still, until this is dropped.
#[derive(Debug)]
pub(crate) struct Holding {
    hands: Hands,
    wishes: mpsc::Receiver<Wish>,
}

impl Holding {
    /// The next wish. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Wish {
        match self.wishes.recv().await {
            Some(wish) => wish,
            // The sender lives in `hands`.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.hands.known().held = None;
    }
}

/// A control socket. It goes with this.
#[derive(Debug)]
pub struct Listening {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        drop(std::fs::remove_file(&self.path));
    }
}

impl Hands {
    /// Listens on the socket `path`, for its owner alone. To be called inside a runtime.
    pub fn listen(&self, path: &Path) -> io::Result<Listening> {
        let missing = || io::Error::from(io::ErrorKind::InvalidInput);
        let (folder, name) = (path.parent().ok_or_else(missing)?, path.file_name().ok_or_else(missing)?);
        // The name of a socket holds 108 bytes (unix(7)); a path may be longer, so the directory goes by a descriptor.
        let folder = std::fs::File::open(folder)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(short)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let hands = self.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let hands = hands.clone();
                // Whoever broke off learns nothing, and nobody else needs to.
                tokio::spawn(async move { drop(connection::serve(stream, &hands).await) });
            }
        });
        Ok(Listening { path: path.to_owned(), task })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine runs, with these consoles, the main one first.
    pub(crate) fn enter(&self, machine: &str, consoles: Vec<Sender>) -> Entered {
        let line = |sender| Line { sender, is_written: Arc::default() };
        self.known().machines.insert(machine.to_owned(), consoles.into_iter().map(line).collect());
        Entered { hands: self.clone(), machine: machine.to_owned() }
    }

    /// From now on wishes are heard.
    pub(crate) fn hold(&self) -> Holding {
        let (sender, wishes) = mpsc::channel(1);
        self.known().held = Some(sender);
        Holding { hands: self.clone(), wishes }
    }

    /// Which machines there are.
    fn machines(&self) -> control::Answer {
        let known = self.known();
        let console = |line: &Line| control::Console {
            name: line.sender.name().to_owned(),
            is_written: line.is_written.load(Ordering::Acquire),
        };
        let machine = |(name, lines): (&String, &Vec<Line>)| control::Machine {
            name: name.clone(),
            runs: lines.iter().any(|line| !line.sender.is_closed()),
            consoles: lines.iter().map(console).collect(),
        };
        control::Answer::Machines {
            held: known.held.is_some(),
            machines: known.machines.iter().map(machine).collect(),
        }
    }

    /// The name of the machine that is meant: the one, where none is named.
    fn name(&self, wanted: &str) -> Result<String, Failure> {
        let known = self.known();
        let names: Vec<_> = known.machines.keys().cloned().collect();
        match names.as_slice() {
            [only] if wanted.is_empty() || only == wanted => Ok(only.clone()),
            _ if names.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
            [] => Err(refused("the job has started no machine")),
            _ => {
                let message = format!("the job has no machine `{wanted}`");
                Err(refused(&message).hint(format!("it has: {}", names.join(", "))))
            }
        }
    }

    /// A console of a machine.
    fn line(&self, machine: &str, console: &str) -> Result<Line, Failure> {
        let name = self.name(machine)?;
        let known = self.known();
        let lines = known.machines.get(&name).map(Vec::as_slice).unwrap_or_default();
        let found = lines.iter().find(|line| console.is_empty() || line.sender.name() == console);
        found.cloned().ok_or_else(|| {
            if lines.is_empty() {
                return refused(&format!("the machine `{name}` does not run"));
            }
            let names: Vec<_> = lines.iter().map(|line| line.sender.name()).collect();
            refused(&format!("`{name}` has no console `{console}`"))
                .hint(format!("it has: {}", names.join(", ")))
        })
    }

    /// Asks the runner.
    async fn wish(&self, machine: &str, what: What) -> Result<Ran, Failure> {
        let machine = if what == What::Release { String::new() } else { self.name(machine)? };
        let held = self.known().held.clone();
        let busy = || {
            refused("the job runs its own steps")
                .hint("reserve a machine, or wait for a block `command: hold`; consoles can be followed now")
        };
        let held = held.ok_or_else(busy)?;
        let (reply, answer) = oneshot::channel();
        held.send(Wish { machine, what, reply }).await.map_err(|_| busy())?;
        answer.await.map_err(|_| refused("the job went on before this was done"))?
    }
}

/// What cannot be done for a person is no failure of the job; it has the shape of one, so that it explains itself.
pub(crate) fn refused(message: &str) -> Failure {
    Failure::new(Cause::CommandFailed, message)
}

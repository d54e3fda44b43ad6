//! A running machine, and the supervisor that makes one of any launch.
//!
//! ```text
//!  Launch ──start──▶ Machine ──stop──▶ Stopped
//!    │                 │ console(role), wait, reset, pause, resume, state
//!    └─ files, sockets, the process, every console drained, the control channel: all or nothing
//! ```
//!
//! A machine is born running: there is no half-started one. Dropping it kills everything it started.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pumice_console::{ConnectError, Connection, Console, Sender, Watch};
use pumice_network::NetworkPolicy;
use pumice_process::{Child, Exit, Guard, Signal, Thing};
use pumice_types::{Blame, Cause, Deadline, Evidence, Failure};
use tokio::sync::Notify;

use crate::{
    ConsoleRole, ConsoleSource, Enclosure, Find, Launch, MachineState, MonitorError, StopHow,
    control::{Control, Request},
    network::MadeNetwork,
    output::{Measured, Output},
};

/// How the supervisor starts machines.
#[derive(Debug)]
pub struct StartOptions<'a> {
    /// The process is started under it.
    pub guard: &'a Guard,
    /// The `PATH` the process gets, and on which its program is found.
    pub search_path: &'a str,
    /// The words by which our program makes and enters network namespaces (`pumice_network::namespace`); empty where
    /// no machine needs one.
    pub network_helper: &'a [OsString],
    /// What the operator lets machines have of this host's networks.
    pub networks: &'a NetworkPolicy,
    /// What is looked for in every line of the main console.
    pub watches: Vec<Watch>,
    /// Descriptors that the process holds as long as it lives: locks that must not be given back before.
    pub inherited: Vec<OwnedFd>,
    /// The least time between two characters typed, on top of what the launch asks for.
    pub pacing: Duration,
    /// Until when the machine must be there.
    pub deadline: &'a Deadline,
}

/// A machine did not come to be. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or a socket could not be made.
    #[error("cannot make `{path}`")]
    Make {
        /// What was to be made.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A port of this host that the machine needs is taken.
    #[error("port {port} of this host, to be forwarded to port {guest_port} of the guest, is in use")]
    PortTaken {
        /// The port.
        port: u16,
        /// Where it leads.
        guest_port: u16,
    },
    /// The program could not be started.
    #[error(transparent)]
    Spawn(#[from] pumice_process::SpawnError),
    /// A console could not be had.
    #[error("console {console} of the simulator did not come up")]
    Console {
        /// Its name.
        console: String,
        /// Why.
        #[source]
        source: ConnectError,
    },
    /// The control channel could not be had.
    #[error("the control channel of the simulator did not come up")]
    Control(#[source] MonitorError),
    /// The simulator ended, refused, or stayed silent; the failure says which.
    #[error("{0}")]
    Failed(Failure),
}

impl Blame for StartError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Make { source, .. } if source.kind() == io::ErrorKind::StorageFull => Cause::DiskFull,
            Self::Make { .. } => Cause::HostRefused,
            Self::PortTaken { .. } => Cause::NetworkSetup,
            Self::Spawn(error) => error.root_cause(),
            Self::Console { .. } | Self::Control(_) => Cause::ConsoleLost,
            Self::Failed(failure) => failure.cause,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PortTaken { .. } => Some("choose another port, or 0 for a free one".to_owned()),
            Self::Spawn(error) => error.hint(),
            Self::Failed(failure) => failure.hint.clone(),
            _ => None,
        }
    }

    fn evidence(&self) -> Option<Evidence> {
        match self {
            Self::Failed(failure) => failure.evidence.clone(),
            _ => None,
        }
    }
}

/// How a machine ended by itself.
#[derive(Clone, Debug)]
pub enum Ended {
    /// The guest powered off; the program may still be there.
    PoweredOff,
    /// The program ended.
    Exited(Exit),
    /// The network that was made for it broke: the guest may run on, cut off ([`Machine::failure`]).
    CutOff,
}

/// A machine that was stopped.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// How the program ended and what it used.
    pub exit: Exit,
    /// Which rung of the ladder ended it; `None` when it had ended already.
    pub by: Option<&'static str>,
    /// The numbers it reported, in the order of its output.
    pub measured: Vec<Measured>,
}

/// Consoles by role. They may still come while the machine runs: a simulator announces them when it likes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consoles(Arc<ConsoleList>);

#[derive(Debug, Default)]
struct ConsoleList {
    list: Mutex<Vec<(ConsoleRole, Console)>>,
    /// Every name there ever was: one that was taken is there all the same.
    names: Mutex<Vec<String>>,
    news: Notify,
}

impl Consoles {
    pub(crate) fn add(&self, role: ConsoleRole, console: Console) {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner).push(console.name().to_owned());
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner).push((role, console));
        self.0.news.notify_waiters();
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().any(|known| known == name)
    }

    /// Resolves when all these consoles are there. Cancel-safe.
    pub(crate) async fn all_there(&self, names: &[&str]) {
        loop {
            let news = self.0.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if names.iter().all(|name| self.has(name)) {
                return;
            }
            news.await;
        }
    }

    fn handles(&self) -> Vec<Sender> {
        let consoles = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown: Vec<_> = consoles.iter().filter(|(role, _)| *role != ConsoleRole::Channel).collect();
        shown.sort_by_key(|(role, _)| *role != ConsoleRole::Main);
        shown.into_iter().map(|(_, console)| console.sender()).collect()
    }

    fn take(&self, role: ConsoleRole) -> Option<Console> {
        let mut consoles = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        let index = consoles.iter().position(|(other, _)| *other == role)?;
        Some(consoles.remove(index).1)
    }

    fn take_all(&self) -> Vec<Console> {
        let mut consoles = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        consoles.drain(..).map(|(_, console)| console).collect()
    }
}

/// A running machine.
pub struct Machine {
    pub(crate) launch: Launch,
    pub(crate) child: Child,
    pub(crate) output: Output,
    pub(crate) consoles: Consoles,
    pub(crate) control: Option<Control>,
    pub(crate) announcer: Option<tokio::task::JoinHandle<()>>,
    pub(crate) sockets: Vec<PathBuf>,
    pub(crate) guard: Guard,
    pub(crate) network: Option<MadeNetwork>,
    /// What runs beside it, in its container.
    pub(crate) beside: Vec<Child>,
    /// Begins to drain one more console of it.
    pub(crate) attach: Attach,
}

/// Begins to drain a console.
pub(crate) type Attach = Box<dyn Fn(&ConsoleSource, Connection) -> Result<(), StartError> + Send>;

/// How long the control channel may take to answer.
const CONTROL_PATIENCE: Duration = Duration::from_secs(5);

/// How long the end of a killed machine and its last output may take.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// The buttons of a machine: what its control channel can do. Copies share the machine; those of a machine that has
/// ended refuse.
#[derive(Clone, Debug)]
pub struct Buttons {
    control: Option<Control>,
}

impl Buttons {
    async fn ask(&self, request: Request, what: &'static str) -> Result<Option<MachineState>, MonitorError> {
        let control = self.control.as_ref().ok_or(MonitorError::Unable(what))?;
        tokio::time::timeout(CONTROL_PATIENCE, control.ask(request))
            .await
            .unwrap_or_else(|_| Err(MonitorError::Channel(io::ErrorKind::TimedOut.into())))
    }

    /// What state the machine is in.
    pub async fn state(&self) -> Result<MachineState, MonitorError> {
        let state = self.ask(Request::State, "tell its state").await?;
        Ok(state.unwrap_or(MachineState::Running))
    }

    /// Resets the guest.
    pub async fn reset(&self) -> Result<(), MonitorError> {
        self.ask(Request::Reset, "reset its guest").await.map(drop)
    }

    /// Holds the guest.
    pub async fn pause(&self) -> Result<(), MonitorError> {
        self.ask(Request::Pause, "hold its guest").await.map(drop)
    }

    /// Lets it go on.
    pub async fn resume(&self) -> Result<(), MonitorError> {
        self.ask(Request::Resume, "hold its guest").await.map(drop)
    }
}

impl Machine {
    /// What it was started from.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Takes the first console of a role that nobody took yet.
    pub fn take_console(&mut self, role: ConsoleRole) -> Option<Console> {
        self.consoles.take(role)
    }

    /// Resolves when it ended by itself. Cancel-safe and level-triggered.
    pub async fn wait(&self) -> Ended {
        let powered_off = async {
            match &self.control {
                Some(control) => control.powered_off().await,
                None => std::future::pending().await,
            }
        };
        let cut_off = async {
            match &self.network {
                Some(network) => network.broken().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.output.powered_off() => Ended::PoweredOff,
            exit = self.child.wait() => Ended::Exited(exit),
            () = powered_off => Ended::PoweredOff,
            () = cut_off => Ended::CutOff,
        }
    }

    /// Whether its main console said that the guest switched it off: the end of the program follows, and may be seen
    /// before what the console said is read.
    pub fn is_powered_off(&self) -> bool {
        self.output.is_powered_off()
    }

    /// Resolves when all that the simulator itself and its main console said was read, at the latest a second from now.
    /// For a machine that has ended: [`Machine::failure`] knows the whole story then.
    pub async fn last_words(&self) {
        self.output.ended().await;
    }

    /// How the program ended; `None` while it runs.
    pub fn exited(&self) -> Option<Exit> {
        self.child.try_wait()
    }

    /// The failure that its own end, or what it says, is; `None` while all is well.
    pub fn failure(&self) -> Option<Failure> {
        if let Some(failure) = self.output.failure() {
            return Some(failure);
        }
        let Some(exit) = self.child.try_wait() else {
            return self.network.as_ref().and_then(MadeNetwork::failure);
        };
        let what = format!("{} ended while it was needed: it {}", self.launch.subject(), exit.status);
        Some(self.output.failure_of(Cause::SimulatorExited, &what))
    }

    /// Whether it said that its end is as it should be.
    pub fn ends_well(&self) -> bool {
        self.output.ends_well()
    }

    /// A handle of its buttons, for those who do not own it.
    pub fn buttons(&self) -> Buttons {
        Buttons { control: self.control.clone() }
    }

    /// Handles of all its consoles but those for signals, the main one first. Nobody else's waits are disturbed.
    pub fn console_handles(&self) -> Vec<Sender> {
        self.consoles.handles()
    }

    /// What state it is in.
    pub async fn state(&self) -> Result<MachineState, MonitorError> {
        self.buttons().state().await
    }

    /// Resets the guest.
    pub async fn reset(&self) -> Result<(), MonitorError> {
        self.buttons().reset().await
    }

    /// Holds the guest.
    pub async fn pause(&self) -> Result<(), MonitorError> {
        self.buttons().pause().await
    }

    /// Lets it go on.
    pub async fn resume(&self) -> Result<(), MonitorError> {
        self.buttons().resume().await
    }

    /// Presses the power button.
    pub async fn power_button(&self) -> Result<(), MonitorError> {
        self.buttons().ask(Request::PowerButton, "press its power button").await.map(drop)
    }

    /// Lets the guest reach what listens on this TCP port of this host's loopback address, at the address of
    /// [`pumice_plan::HostSeen::LoopbackAt`]. Where the simulator's own network leads there, nothing has to be done.
    ///
    /// # Errors
    /// What serves the machine's network is gone.
    pub async fn offer(&mut self, port: u16) -> Result<(), Failure> {
        match &mut self.network {
            Some(network) => network.offer(port).await,
            None => Ok(()),
        }
    }

    /// Starts a program in the machine's container, with a terminal that is one more main console of this
    /// name. It ends with the machine at the latest.
    ///
    /// # Errors
    /// The machine is in no container, or the engine's client could not be started.
    pub fn run_inside(&mut self, name: &str, words: &[String]) -> Result<Console, StartError> {
        let failed = |message: &str| StartError::Failed(Failure::new(Cause::ContainerFailed, message));
        let Some(Enclosure { engine, name: container }) = &self.launch.container else {
            return Err(failed("the machine is in no container, and nothing can run beside it there"));
        };
        let client = ["exec", "--interactive", "--tty", container].map(str::to_owned);
        let command = engine.command(client.into_iter().chain(words.iter().cloned())).on_terminal();
        let mut child = self.guard.spawn(&command)?;
        let terminal =
            child.terminal.take().ok_or_else(|| failed("what runs beside the machine got no terminal"))?;
        let source = ConsoleSource {
            name: name.to_owned(),
            role: ConsoleRole::Main,
            find: Find::Stdio,
            pacing: Duration::ZERO,
        };
        (self.attach)(&source, Connection::terminal(terminal))?;
        self.beside.push(child);
        self.consoles
            .take(ConsoleRole::Main)
            .ok_or_else(|| failed("what runs beside the machine got no console"))
    }

    /// Ends it: each rung of the ladder with its grace, then the kill of the whole group. Every console is read to
    /// its end. `late` shortens all graces together: after it, the kill comes at once.
    pub async fn stop(mut self, late: &Deadline) -> Result<Stopped, Failure> {
        let mut by = None;
        for rung in self.launch.stop.clone() {
            if self.child.try_wait().is_some() {
                break;
            }
            by = Some(self.climb(&rung.how).await);
            let grace = rung.grace.min(late.remaining(Instant::now()));
            drop(tokio::time::timeout(grace, self.child.wait()).await);
        }
        if self.child.try_wait().is_none() {
            by = Some("kill");
        }
        let deadline = Deadline::after(Instant::now(), KILL_PATIENCE, "the end of the simulator");
        let exit = self.child.kill_all(&deadline).await.map_err(|error| error.failure())?;
        for beside in self.beside.drain(..) {
            drop(beside.kill_all(&deadline).await);
        }
        if let Some(announcer) = self.announcer.take() {
            announcer.abort();
        }
        for console in self.consoles.take_all() {
            console.close(&deadline).await;
        }
        self.release().await;
        self.remove_sockets();
        if let Some(network) = self.network.take() {
            network.end(&self.guard, &deadline).await?;
        }
        Ok(Stopped { exit, by, measured: self.output.measured() })
    }

    /// Removes the container, which the end of its engine's client may leave running. One that cannot be removed
    /// stays in the ledger, for the next who looks.
    pub(crate) async fn release(&self) {
        let Some(Enclosure { engine, name }) = self.launch.container.clone() else { return };
        let thing = Thing::Container { engine: engine.clone(), name: name.clone() };
        let removed = tokio::task::spawn_blocking(move || engine.remove(&name)).await;
        if matches!(removed, Ok(Ok(()))) {
            drop(self.guard.ledger().gone(&thing));
        }
    }

    async fn climb(&self, how: &StopHow) -> &'static str {
        match how {
            StopHow::Monitor => {
                // It may close the channel before it answers.
                drop(self.buttons().ask(Request::Quit, "end").await);
                "control channel"
            }
            StopHow::Interrupt => {
                drop(self.child.signal(Signal::INT));
                "SIGINT"
            }
            StopHow::Terminate => {
                drop(self.child.signal(Signal::TERM));
                "SIGTERM"
            }
        }
    }

    fn remove_sockets(&mut self) {
        for path in self.sockets.drain(..) {
            drop(fs::remove_file(path));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(announcer) = self.announcer.take() {
            announcer.abort();
        }
        self.remove_sockets();
    }
}

//! Which machines there are, and who may do what with them now.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use pumice_api::control::{Done, MachineFacts, Overview, Place, Refused, Said};
use pumice_console::Sender;
use pumice_platform::{Buttons, MachineState};
use tokio::sync::{Notify, mpsc, oneshot};

/// The machines of a run that people can reach. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Hands(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    machines: BTreeMap<String, Arc<Reach>>,
    hold: Option<Hold>,
    /// Files on their way in, by digest.
    coming: BTreeMap<String, Arc<Coming>>,
}

/// A file on its way in. One connection at a time brings it: the newest, because one that is cut is seldom heard of.
#[derive(Debug, Default)]
pub(super) struct Coming {
    /// Rings when another connection brings it.
    pub(super) replaced: Notify,
    /// Held while bytes are written.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// A hold that is going on.
#[derive(Debug)]
pub(super) struct Hold {
    /// Why.
    pub(super) why: String,
    /// When it ends by itself.
    pub(super) until: Instant,
    /// Namespaces whose machine can be booted.
    pub(super) bootable: BTreeSet<String>,
    /// Takes what the runner does.
    pub(super) queue: mpsc::UnboundedSender<Asked>,
}

/// Something the runner is asked to do with a machine while it holds.
pub(crate) struct Asked {
    /// The machine's namespace.
    pub(crate) machine: String,
    /// What.
    pub(crate) work: Work,
    /// Told how it went.
    pub(crate) answer: oneshot::Sender<Result<Done, Refused>>,
}

/// What the runner does while it holds.
pub(crate) enum Work {
    Stop,
    Start,
    Restart,
    /// Runs a line; each line of output goes to the sender.
    Exec {
        line: String,
        seconds: u64,
        said: mpsc::UnboundedSender<Said>,
    },
    /// Brings a file of this host, whose digest is known.
    Push {
        file: PathBuf,
        sha256: String,
        to: Place,
        executable: bool,
    },
    /// Fetches a file of the guest to this host. Done, it says size and digest.
    Pull {
        path: String,
        file: PathBuf,
    },
    Release,
}

/// What can be done with a running machine whatever the job does.
#[derive(Debug)]
pub(crate) struct Reach {
    /// The platform's name.
    platform: String,
    /// Its consoles, the main one first.
    consoles: Vec<Sender>,
    /// Its buttons.
    pub(super) buttons: Buttons,
    /// Names of the consoles that somebody types on.
    written: Mutex<BTreeSet<String>>,
}

impl Reach {
    /// A machine with these consoles and buttons.
    pub(crate) fn new(platform: &str, consoles: Vec<Sender>, buttons: Buttons) -> Self {
        Self { platform: platform.to_owned(), consoles, buttons, written: Mutex::default() }
    }

    /// The console of that name, the main one when none is given.
    pub(super) fn console(&self, name: Option<&str>) -> Result<&Sender, Refused> {
        let found = match name {
            None => self.consoles.first(),
            Some(name) => self.consoles.iter().find(|console| console.name() == name),
        };
        found.ok_or_else(|| {
            Refused::new(format!("the machine has no console `{}`", name.unwrap_or("main")))
                .hint(format!("it has: {}", self.console_names().join(", ")))
        })
    }

    fn console_names(&self) -> Vec<String> {
        self.consoles.iter().map(|console| console.name().to_owned()).collect()
    }

    /// The right to type on a console, until it is dropped. One has it at a time.
    pub(super) fn writer(self: &Arc<Self>, console: &str) -> Result<Writer, Refused> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.insert(console.to_owned()) {
            return Err(Refused::new(format!("somebody else types on the console `{console}`"))
                .hint("read along with --read-only, or ask them to leave"));
        }
        Ok(Writer { reach: Arc::clone(self), console: console.to_owned() })
    }

    fn has_writer(&self) -> bool {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        self.consoles.first().is_some_and(|main| written.contains(main.name()))
    }
}

/// The right to type on a console.
pub(super) struct Writer {
    reach: Arc<Reach>,
    console: String,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.reach.written.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.console);
    }
}

/// Keeps a machine in the list; dropping it takes the machine out.
#[derive(Debug)]
pub(crate) struct Registered {
    hands: Hands,
    namespace: String,
    reach: Arc<Reach>,
}

impl Registered {
    /// Whether somebody types on the machine's main console.
    pub(crate) fn has_writer(&self) -> bool {
        self.reach.has_writer()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut inner = self.hands.inner();
        // Another machine of the same namespace may have taken the place.
        if inner.machines.get(&self.namespace).is_some_and(|other| Arc::ptr_eq(other, &self.reach)) {
            inner.machines.remove(&self.namespace);
        }
    }
}

impl Hands {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a machine for as long as the answer lives.
    pub(crate) fn add(&self, namespace: &str, reach: Reach) -> Registered {
        let reach = Arc::new(reach);
        self.inner().machines.insert(namespace.to_owned(), Arc::clone(&reach));
        Registered { hands: self.clone(), namespace: namespace.to_owned(), reach }
    }

    /// The file of this digest, on its way in. Whoever brought it before stops.
    pub(super) fn take_over(&self, sha256: &str) -> Arc<Coming> {
        let coming = Arc::clone(self.inner().coming.entry(sha256.to_owned()).or_default());
        coming.replaced.notify_waiters();
        coming
    }

    /// Begins or ends a hold.
    pub(super) fn set_hold(&self, hold: Option<Hold>) {
        self.inner().hold = hold;
    }

    /// The namespace that a client means, and its machine where one runs.
    pub(super) fn find(&self, name: Option<&str>) -> Result<(String, Option<Arc<Reach>>), Refused> {
        let inner = self.inner();
        let bootable = inner.hold.iter().flat_map(|hold| &hold.bootable);
        let names: BTreeSet<&String> = inner.machines.keys().chain(bootable).collect();
        let list = || names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let namespace = match (name, names.first()) {
            (_, None) => return Err(Refused::new("the job has no machine now")),
            (None, Some(only)) if names.len() == 1 => (*only).clone(),
            (None, Some(_)) => {
                return Err(
                    Refused::new("the job has several machines").hint(format!("name one of: {}", list()))
                );
            }
            (Some(name), Some(_)) if names.iter().any(|other| *other == name) => name.to_owned(),
            (Some(name), Some(_)) => {
                return Err(Refused::new(format!("there is no machine `{name}`"))
                    .hint(format!("there is: {}", list())));
            }
        };
        let reach = inner.machines.get(&namespace).cloned();
        Ok((namespace, reach))
    }

    /// The running machine that a client means.
    pub(super) fn running(&self, name: Option<&str>) -> Result<Arc<Reach>, Refused> {
        let (namespace, reach) = self.find(name)?;
        reach.ok_or_else(|| {
            Refused::new(format!("the machine `{namespace}` does not run")).hint("start it first")
        })
    }

    /// Hands work to the runner, and waits until it is done.
    pub(super) async fn ask(&self, name: Option<&str>, work: Work) -> Result<Done, Refused> {
        let (answer, outcome) = oneshot::channel();
        let machine = match work {
            Work::Release => String::new(),
            _ => self.find(name)?.0,
        };
        let queue = self.inner().hold.as_ref().map(|hold| hold.queue.clone());
        let queue = queue.ok_or_else(not_held)?;
        queue.send(Asked { machine, work, answer }).map_err(|_| not_held())?;
        outcome.await.map_err(|_| not_held())?
    }

    /// Whether the runner holds.
    pub(super) fn is_held(&self) -> Result<(), Refused> {
        self.inner().hold.as_ref().map(drop).ok_or_else(not_held)
    }

    /// What there is, for a client.
    pub(super) async fn overview(&self) -> Overview {
        let (machines, stopped, held, held_seconds) = {
            let inner = self.inner();
            let machines: Vec<_> =
                inner.machines.iter().map(|(name, reach)| (name.clone(), Arc::clone(reach))).collect();
            let hold = inner.hold.as_ref();
            let bootable = hold.map(|hold| hold.bootable.clone()).unwrap_or_default();
            let stopped: Vec<_> =
                bootable.into_iter().filter(|name| !inner.machines.contains_key(name)).collect();
            let left = hold.map(|hold| hold.until.saturating_duration_since(Instant::now()).as_secs());
            (machines, stopped, hold.map(|hold| hold.why.clone()), left)
        };
        let mut facts = Vec::new();
        for (name, reach) in machines {
            facts.push(MachineFacts {
                name,
                platform: reach.platform.clone(),
                state: state_word(&reach).await.to_owned(),
                consoles: reach.console_names(),
                has_writer: reach.has_writer(),
            });
        }
        facts.extend(stopped.into_iter().map(|name| MachineFacts {
            name,
            platform: String::new(),
            state: "stopped".to_owned(),
            consoles: Vec::new(),
            has_writer: false,
        }));
        Overview { machines: facts, held, held_seconds }
    }
}

/// What a machine does, in a word. One without a control channel says nothing of it: it runs.
async fn state_word(reach: &Reach) -> &'static str {
    match reach.buttons.state().await {
        Ok(MachineState::Paused) => "paused",
        Ok(MachineState::PoweredOff) => "powered off",
        Ok(MachineState::Crashed) => "crashed",
        Ok(MachineState::Running) | Err(_) => "running",
    }
}

fn not_held() -> Refused {
    Refused::new("the job uses its machines itself now")
        .hint("its consoles can be read and typed into; more can be done while a run holds: `timeouts.hold` in the job, `pumice run --hold`, or a block `command: {name: hold}`")
}

//! How the rest of the server talks to the scheduler.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pumice_api::worker::{Epoch, Held};
use pumice_db::JobEnd;
use pumice_sched::{Action, Event, Lab};
use pumice_types::WorkerName;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::refusal::Refusal;

/// What the scheduler's task is sent.
pub(super) enum Command {
    /// Something happened.
    Step {
        event: Box<Event>,
        /// What is known of a job's end besides its verdict.
        end: Option<Box<JobEnd>>,
        /// Told once what followed is in the database.
        done: oneshot::Sender<Vec<Action>>,
    },
    /// A worker says what it has.
    Poll {
        /// [`Event::WorkerPolled`].
        event: Box<Event>,
        /// Told whether the worker's session is the present one, once what followed is in the database.
        done: oneshot::Sender<bool>,
    },
    /// A worker's leases are to be renewed, whether or not the database takes anything.
    Renew {
        /// The worker.
        worker: WorkerName,
        /// Its session.
        epoch: Epoch,
        /// What it has.
        held: Vec<Held>,
        /// Told whether they were.
        done: oneshot::Sender<bool>,
    },
    /// A look at the state.
    Look(Look),
}

/// A look at the state.
pub(super) type Look = Box<dyn FnOnce(&Lab) + Send>;

/// The scheduler. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scheduler {
    commands: mpsc::Sender<Command>,
    /// Wakes the waiting poll of a worker.
    bells: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

/// How long anybody waits for the scheduler. It only takes its time when the database does.
const PATIENCE: Duration = Duration::from_secs(30);

/// The scheduler gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Its task has ended.
    #[error("the server is going down")]
    Stopped,
    /// The database takes its time. What the scheduler was told it still acts on.
    #[error("the database takes nothing at the moment; what was asked for may still come to pass")]
    Waits,
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Self {
        Self::Unavailable(unanswered.to_string())
    }
}

impl Scheduler {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, bells: Arc::default() }
    }

    /// Tells of an event, and returns what followed once it is in the database.
    pub(crate) async fn tell(&self, event: Event) -> Result<Vec<Action>, Unanswered> {
        self.step(event, None).await
    }

    /// Tells that a job ended, with all that is known of it.
    pub(crate) async fn tell_end(&self, event: Event, end: JobEnd) -> Result<Vec<Action>, Unanswered> {
        self.step(event, Some(Box::new(end))).await
    }

    async fn step(&self, event: Event, end: Option<Box<JobEnd>>) -> Result<Vec<Action>, Unanswered> {
        self.ask(|done| Command::Step { event: Box::new(event), end, done }).await
    }

    /// Tells what a worker says it has; answers whether its session is the present one.
    pub(crate) async fn poll(&self, event: Event) -> Result<bool, Unanswered> {
        self.ask(|done| Command::Poll { event: Box::new(event), done }).await
    }

    /// Renews a worker's leases, though the database may take nothing; see [`Lab::renew`].
    pub(crate) async fn renew(
        &self,
        worker: WorkerName,
        epoch: Epoch,
        held: Vec<Held>,
    ) -> Result<bool, Unanswered> {
        self.ask(|done| Command::Renew { worker, epoch, held, done }).await
    }

    /// Looks at the state as it is in the database.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Lab) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let look = |done: oneshot::Sender<T>| {
            Command::Look(Box::new(move |lab| {
                // Whoever asked may have gone; then nobody needs the answer.
                let _ = done.send(look(lab));
            }))
        };
        self.ask(look).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Unanswered> {
        let (done, answer) = oneshot::channel();
        let asked = async {
            self.commands.send(command(done)).await.map_err(|_| Unanswered::Stopped)?;
            answer.await.map_err(|_| Unanswered::Stopped)
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(Unanswered::Waits))
    }

    /// What rings when there is something for a worker to do.
    pub(crate) fn bell(&self, worker: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(worker.to_owned()).or_default())
    }

    /// Wakes a worker's waiting poll.
    pub(crate) fn ring(&self, worker: &str) {
        self.bell(worker).notify_waiters();
    }
}

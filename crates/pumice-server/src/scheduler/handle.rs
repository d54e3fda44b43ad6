//! How the rest of the server talks to the scheduler.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use pumice_db::JobEnd;
use pumice_sched::{Action, Event, Lab};
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
    /// A look at the state.
    Look(Box<dyn FnOnce(&Lab) + Send>),
}

/// The scheduler. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scheduler {
    commands: mpsc::Sender<Command>,
    /// Wakes the waiting poll of a worker.
    bells: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

/// The scheduler's task has ended: the server is going down.
#[derive(Debug, thiserror::Error)]
#[error("the server is going down")]
pub(crate) struct Stopped;

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        Self::Internal(stopped.to_string())
    }
}

impl Scheduler {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, bells: Arc::default() }
    }

    /// Tells of an event, and returns what followed once it is in the database.
    pub(crate) async fn tell(&self, event: Event) -> Result<Vec<Action>, Stopped> {
        self.send(event, None).await
    }

    /// Tells that a job ended, with all that is known of it.
    pub(crate) async fn tell_end(&self, event: Event, end: JobEnd) -> Result<Vec<Action>, Stopped> {
        self.send(event, Some(Box::new(end))).await
    }

    async fn send(&self, event: Event, end: Option<Box<JobEnd>>) -> Result<Vec<Action>, Stopped> {
        let (done, answer) = oneshot::channel();
        let command = Command::Step { event: Box::new(event), end, done };
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Looks at the state as it is in the database.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Lab) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (done, answer) = oneshot::channel();
        let command = Command::Look(Box::new(move |lab| {
            // Whoever asked may have gone; then nobody needs the answer.
            let _ = done.send(look(lab));
        }));
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
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

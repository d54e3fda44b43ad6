//! The task that owns the lab's state.

use std::{sync::Arc, time::Duration};

use pumice_api::worker::{Epoch, Held};
use pumice_db::{Database, DbError};
use pumice_sched::{Action, Event, Lab};
use pumice_types::WorkerName;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    apply, check,
    handle::{Command, Look, Scheduler},
    record,
    round::Round,
};
use crate::{app::Shared, refusal::with_sources};

/// Events that wait at most; beyond, whoever tells of one waits.
const MAILBOX: usize = 1024;

/// Events whose consequences are written in one transaction at most.
const BATCH: usize = 256;

/// How often time goes on when nothing happens: well below the half of the policy's stall.
const TICK: Duration = Duration::from_secs(1);

/// How long to wait before trying again to write what must be written.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);

/// How long a server that goes down tries to write what it has decided. Nobody was told of it, so nothing is lost.
const LAST_WRITE: Duration = Duration::from_secs(3);

/// A scheduler whose task is not running yet: what it needs refers to it.
pub(crate) struct Unstarted {
    commands: mpsc::Receiver<Command>,
    lab: Lab,
}

/// Reads the state from the database.
pub(crate) async fn start(
    database: &Database,
    policy: pumice_sched::Policy,
    clock: crate::clock::Clock,
) -> Result<(Scheduler, Unstarted), DbError> {
    let now = clock.steady();
    let record = record::record(&mut database.read().await?, now).await?;
    let (sender, commands) = mpsc::channel(MAILBOX);
    Ok((Scheduler::new(sender), Unstarted { commands, lab: Lab::restore(policy, record, now) }))
}

impl Unstarted {
    /// Runs until nobody can send it anything any more.
    pub(crate) fn run(self, shared: Arc<Shared>) -> JoinHandle<()> {
        let task = Task { lab: self.lab, commands: self.commands, shared, deferred: Vec::new() };
        tokio::spawn(task.run())
    }
}

struct Task {
    lab: Lab,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    /// What came while a round was written, in the order in which it came.
    deferred: Vec<Command>,
}

/// What waits until a round is written.
#[derive(Default)]
struct Waiting {
    told: Vec<(oneshot::Sender<Vec<Action>>, Vec<Action>)>,
    looks: Vec<Look>,
    polls: Vec<(oneshot::Sender<bool>, bool)>,
}

impl Task {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut ticked = Instant::now();
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let (mut round, mut waiting) = (Round::default(), Waiting::default());
            batch.append(&mut self.deferred);
            if batch.is_empty() {
                tokio::select! {
                    count = self.commands.recv_many(&mut batch, BATCH) => {
                        if count == 0 {
                            return;
                        }
                    }
                    () = tokio::time::sleep_until(ticked + TICK) => {}
                    () = shared.stopping() => return,
                }
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.step(Event::Tick, &mut round);
            }
            for command in batch.drain(..) {
                self.take(command, &mut round, &mut waiting);
            }
            if !round.actions.is_empty() && !self.write(&round).await {
                return;
            }
            self.answer(waiting);
        }
    }

    /// Has the lab decide, and answers what followed.
    fn step(&mut self, event: Event, round: &mut Round) -> Vec<Action> {
        let actions = self.lab.step(event, self.shared.clock.steady());
        round.add(&actions, &self.lab);
        actions
    }

    fn take(&mut self, command: Command, round: &mut Round, waiting: &mut Waiting) {
        match command {
            Command::Step { event, end, done } => {
                if let (Event::JobFinished { job, .. }, Some(end)) = (event.as_ref(), end) {
                    round.ends.insert(job.job, *end);
                }
                let actions = self.step(*event, round);
                waiting.told.push((done, actions));
            }
            Command::Poll { event, done } => {
                let is_present = match event.as_ref() {
                    Event::WorkerPolled { worker, epoch, .. } => self.is_present(worker, *epoch),
                    _ => false,
                };
                self.step(*event, round);
                waiting.polls.push((done, is_present));
            }
            Command::Renew { worker, epoch, held, done } => {
                self.renew(&worker, epoch, &held, done);
            }
            Command::Look(look) => waiting.looks.push(look),
        }
    }

    fn is_present(&self, worker: &WorkerName, epoch: Epoch) -> bool {
        self.lab.worker(worker).is_some_and(|worker| worker.epoch == epoch)
    }

    fn renew(&mut self, worker: &WorkerName, epoch: Epoch, held: &[Held], done: oneshot::Sender<bool>) {
        let renewed = self.lab.renew(worker, epoch, held, self.shared.clock.steady());
        // Whoever asked may have gone.
        let _ = done.send(renewed);
    }

    /// Tells whoever waits for what is now in the database. Who has gone needs no answer.
    fn answer(&self, waiting: Waiting) {
        for (done, actions) in waiting.told {
            let _ = done.send(actions);
        }
        for (done, is_present) in waiting.polls {
            let _ = done.send(is_present);
        }
        for look in waiting.looks {
            look(&self.lab);
        }
    }

    /// Writes a round, however long the database takes: what was decided is in memory already, and nobody is told before
    /// it is on disk. Only leases are renewed meanwhile: that needs no writing, and a worker must not lose its jobs because the
    /// database is slow. `false` when the server goes down before it was written.
    async fn write(&mut self, round: &Round) -> bool {
        let shared = Arc::clone(&self.shared);
        let writing = until_written(round, &shared);
        tokio::pin!(writing);
        let stopped = async {
            shared.stopping().await;
            tokio::time::sleep(LAST_WRITE).await;
        };
        tokio::pin!(stopped);
        loop {
            let has_room = self.deferred.len() < MAILBOX;
            tokio::select! {
                biased;
                () = &mut writing => break,
                () = &mut stopped => {
                    tracing::error!("the server goes down without a database that takes its last decisions");
                    return false;
                }
                command = self.commands.recv(), if has_room => match command {
                    Some(Command::Renew { worker, epoch, held, done }) => self.renew(&worker, epoch, &held, done),
                    Some(command) => self.deferred.push(command),
                    None => return false,
                },
            }
        }
        for action in &round.actions {
            if let Action::StartHealthCheck(device) = action {
                check::spawn(Arc::clone(&shared), device.clone());
            }
        }
        true
    }
}

async fn until_written(round: &Round, shared: &Arc<Shared>) {
    loop {
        match apply::apply(round, shared).await {
            Ok(told) => return told.tell(shared),
            Err(error) => {
                tracing::error!(error = with_sources(&error), "the database takes nothing; trying again");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
        }
    }
}

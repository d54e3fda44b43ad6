//! The task that owns the lab's state.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pumice_db::{Database, DbError, JobEnd};
use pumice_sched::{Action, Event, Lab};
use pumice_types::JobId;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    apply, check,
    handle::{Command, Scheduler},
    record,
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
        tokio::spawn(run(self.lab, self.commands, shared))
    }
}

/// What was done in one round and is to be written.
#[derive(Default)]
pub(super) struct Round {
    pub(super) actions: Vec<Action>,
    pub(super) ends: HashMap<JobId, JobEnd>,
}

async fn run(mut lab: Lab, mut commands: mpsc::Receiver<Command>, shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let mut round = Round::default();
        let mut waiting = Vec::new();
        let mut looks = Vec::new();
        tokio::select! {
            count = commands.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return;
                }
            }
            _ = ticks.tick() => round.actions.extend(lab.step(Event::Tick, shared.clock.steady())),
            () = shared.stopping() => return,
        }
        for command in batch.drain(..) {
            take(command, &mut lab, &shared, &mut round, &mut waiting, &mut looks);
        }
        write(&lab, &round, &shared).await;
        for (done, actions) in waiting {
            // Whoever told of it may have gone.
            let _ = done.send(actions);
        }
        for look in looks {
            look(&lab);
        }
    }
}

type Look = Box<dyn FnOnce(&Lab) + Send>;
type Waiting = (oneshot::Sender<Vec<Action>>, Vec<Action>);

fn take(
    command: Command,
    lab: &mut Lab,
    shared: &Shared,
    round: &mut Round,
    waiting: &mut Vec<Waiting>,
    looks: &mut Vec<Look>,
) {
    match command {
        Command::Step { event, end, done } => {
            if let (Event::JobFinished { job, .. }, Some(end)) = (event.as_ref(), end) {
                round.ends.insert(job.job, *end);
            }
            let actions = lab.step(*event, shared.clock.steady());
            round.actions.extend(actions.iter().cloned());
            waiting.push((done, actions));
        }
        Command::Look(look) => looks.push(look),
    }
}

/// Writes a round, however long the database takes: what was decided is in memory already, and nobody is told before
/// it is on disk.
async fn write(lab: &Lab, round: &Round, shared: &Arc<Shared>) {
    if round.actions.is_empty() {
        return;
    }
    loop {
        match apply::apply(lab, round, shared).await {
            Ok(told) => {
                told.tell(shared);
                break;
            }
            Err(error) => {
                tracing::error!(error = with_sources(&error), "the database takes nothing; trying again");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
        }
    }
    for action in &round.actions {
        if let Action::StartHealthCheck(device) = action {
            check::spawn(Arc::clone(shared), device.clone());
        }
    }
}

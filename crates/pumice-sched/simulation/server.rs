//! The server around the scheduler: a database, polls that wait, crashes, and a clock that jumps.

use std::collections::BTreeMap;

use pumice_api::worker::{Epoch, Held, JobRef, Orders};
use pumice_sched::{Action, Event, JobRequest, Lab, Policy, Record, Time};
use pumice_types::{JobId, Verdict, WorkerName};

use super::{
    message::{Answer, Reply, Request},
    random::Random,
};

/// How long an answer is held back when there is nothing to say, in milliseconds.
const HOLD: u64 = 20_000;

/// A poll whose answer is held back.
struct Waiting {
    sent: u64,
    until: u64,
    epoch: Epoch,
    sequence: u64,
    held: Vec<Held>,
    seen: Vec<JobRef>,
}

/// The server, or what is left of it while it is down.
pub(crate) struct Server {
    /// The scheduler; `None` while the server is down.
    pub(crate) lab: Option<Lab>,
    database: Record,
    /// How each job ended.
    pub(crate) verdicts: BTreeMap<JobId, Verdict>,
    /// What its clock is ahead of the true time; kept above zero.
    pub(crate) ahead: u64,
    waiting: BTreeMap<WorkerName, Waiting>,
    /// Health checks that the scheduler asked for.
    pub(crate) checks: Vec<pumice_types::DeviceName>,
    groups: BTreeMap<JobId, (String, usize)>,
    /// How many steps the scheduler made.
    pub(crate) steps: u64,
}

impl Server {
    pub(crate) fn new(record: Record) -> Self {
        Self {
            lab: Some(Lab::restore(Policy::default(), record.clone(), Time(10_000_000))),
            database: record,
            verdicts: BTreeMap::new(),
            ahead: 10_000_000,
            waiting: BTreeMap::new(),
            checks: Vec::new(),
            groups: BTreeMap::new(),
            steps: 0,
        }
    }

    pub(crate) fn clock(&self, now: u64) -> Time {
        Time(now + self.ahead)
    }

    /// The server dies: what was committed stays.
    pub(crate) fn crash(&mut self) {
        if let Some(lab) = self.lab.take() {
            self.database = lab.record();
        }
        self.waiting.clear();
        self.checks.clear();
    }

    pub(crate) fn start(&mut self, now: u64) {
        let clock = self.clock(now);
        self.lab = Some(Lab::restore(Policy::default(), self.database.clone(), clock));
    }

    /// Submits; `false` when the server is down and nothing was kept.
    pub(crate) fn submit(&mut self, now: u64, requests: &[JobRequest]) -> Result<bool, String> {
        if self.lab.is_none() {
            return Ok(false);
        }
        for request in requests {
            if let Some(member) = request.member() {
                self.groups.insert(request.id, (member.group.clone(), requests.len()));
            }
        }
        self.step(now, Event::Submit(requests.to_vec()))?;
        Ok(true)
    }

    /// One step of the scheduler, committed. The error is a broken promise.
    pub(crate) fn step(&mut self, now: u64, event: Event) -> Result<(), String> {
        let clock = self.clock(now);
        let Some(lab) = &mut self.lab else { return Ok(()) };
        self.steps += 1;
        let actions = lab.step(event, clock);
        if !actions.is_empty()
            && let Some(contradiction) = lab.contradictions().first()
        {
            return Err(contradiction.clone());
        }
        let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for action in &actions {
            match action {
                Action::Assign { job, .. } => {
                    if let Some((group, size)) = self.groups.get(job) {
                        groups.entry(group).or_insert((0, *size)).0 += 1;
                    }
                }
                Action::FinishJob { job, verdict, .. } => {
                    if let Some(before) = self.verdicts.insert(*job, *verdict) {
                        return Err(format!("job {job} ended {before:?} and then {verdict:?}"));
                    }
                }
                Action::Requeue { job, .. } if self.groups.contains_key(job) => {
                    return Err(format!("job {job} of a group was given again"));
                }
                Action::StartHealthCheck(device) => self.checks.push(device.clone()),
                _ => {}
            }
        }
        match groups.iter().find(|(_, (given, size))| given != size) {
            Some((group, (given, size))) => {
                Err(format!("{given} of {size} jobs of group {group} were given"))
            }
            None => Ok(()),
        }
    }

    /// The server dies in the middle of a step, before it was committed.
    pub(crate) fn crash_in(&mut self, now: u64, event: Event) {
        let clock = self.clock(now);
        if let Some(lab) = &self.lab {
            lab.clone().step(event, clock);
        }
        self.crash();
    }

    /// A request arrived. The answer may be held back ([`Server::answers`]).
    pub(crate) fn hear(
        &mut self,
        now: u64,
        worker: &WorkerName,
        sent: u64,
        request: Request,
        random: &mut Random,
        crashes: bool,
    ) -> Result<Vec<Answer>, String> {
        if self.lab.is_none() {
            return Ok(Vec::new());
        }
        let event = event(worker, &request);
        if crashes && random.between(1, 2_000) == 1 {
            self.crash_in(now, event);
            return Ok(Vec::new());
        }
        self.step(now, event)?;
        let Some(lab) = &self.lab else { return Ok(Vec::new()) };
        let current = lab.worker(worker).map(|worker| worker.epoch);
        let mut answers = Vec::new();
        match request {
            Request::Hello { session } => {
                if let Some(epoch) = current {
                    answers.push(Answer { sent, reply: Reply::Welcome { session, epoch } });
                }
            }
            Request::Poll { epoch, .. } if current != Some(epoch) => {
                answers.push(Answer { sent, reply: Reply::StaleSession });
            }
            Request::Poll { epoch, sequence, held, seen, .. } => {
                let waiting = Waiting { sent, until: now + HOLD, epoch, sequence, held, seen };
                match self.waiting.get(worker) {
                    // Overtaken by a later one: it means nothing any more.
                    Some(later) if later.epoch == epoch && later.sequence >= sequence => {}
                    _ => {
                        if let Some(older) = self.waiting.insert(worker.clone(), waiting) {
                            answers.push(answer(&older, Orders::default()));
                        }
                    }
                }
            }
            Request::Finish { job, .. } | Request::Return(job) | Request::Lost(job) => {
                answers.push(Answer { sent, reply: Reply::Done(job) });
            }
            Request::Started(_) => {}
        }
        Ok(answers)
    }

    /// The held-back answers that are due.
    pub(crate) fn answers(&mut self, now: u64) -> Vec<(WorkerName, Answer)> {
        let Some(lab) = &self.lab else { return Vec::new() };
        let mut answers = Vec::new();
        self.waiting.retain(|worker, waiting| {
            let orders = lab.orders(worker, &waiting.held);
            let news = !orders.offers.is_empty()
                || !orders.stop.is_empty()
                || orders.cancel.iter().any(|cancel| !waiting.seen.contains(cancel));
            let is_due = news || now >= waiting.until;
            if is_due {
                answers.push((worker.clone(), answer(waiting, orders)));
            }
            !is_due
        });
        answers
    }
}

fn answer(waiting: &Waiting, orders: Orders) -> Answer {
    let held = waiting.held.iter().map(|held| held.job_ref()).collect();
    let reply = Reply::Orders { epoch: waiting.epoch, sequence: waiting.sequence, held, orders };
    Answer { sent: waiting.sent, reply }
}

fn event(worker: &WorkerName, request: &Request) -> Event {
    match request {
        Request::Hello { session } => Event::WorkerHello { worker: worker.clone(), session: session.clone() },
        Request::Poll { epoch, sequence, held, not_ready, .. } => Event::WorkerPolled {
            worker: worker.clone(),
            epoch: *epoch,
            sequence: *sequence,
            held: held.clone(),
            not_ready: not_ready.then(|| "no room".to_owned()),
        },
        Request::Started(job) => Event::JobStarted(*job),
        Request::Finish { job, verdict, fault } => {
            Event::JobFinished { job: *job, verdict: *verdict, fault: *fault }
        }
        Request::Return(job) => Event::JobReturned(*job),
        Request::Lost(job) => Event::JobLost(*job),
    }
}

//! A worker as `docs/protocol/worker.md` says it is: an agent that may crash, and keepers that go on without it.

use std::collections::BTreeMap;

use pumice_api::worker::{Epoch, Fence, Held, JobRef, Orders, Phase};
use pumice_types::{DeviceName, Fault, JobId, Verdict};

use super::{
    message::{Answer, Reply, Request},
    random::Random,
};

/// The lease, and how long before its end a keeper kills, in milliseconds of the worker's clock.
pub(crate) const LEASE: u64 = 60_000;
const KILL_EARLY: u64 = 3_000;

/// What a worker says of a job that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Report {
    Finished(Verdict, Option<Fault>),
    Returned,
    Lost,
}

/// A job in a worker's ledger.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) phase: Phase,
    /// Whether its machines run.
    pub(crate) alive: bool,
    pub(crate) device: Option<DeviceName>,
    lease_until: u64,
    /// When it starts, ends by itself, or is over after it was asked to end.
    due: u64,
    report: Report,
    told_started: bool,
}

impl Kept {
    fn new(sent: u64, due: u64, device: Option<DeviceName>, report: Report) -> Self {
        let lease_until = sent + LEASE;
        Self { phase: Phase::Accepted, alive: false, device, lease_until, due, report, told_started: false }
    }

    fn over(&mut self, report: Report) {
        self.phase = Phase::Shipping;
        self.alive = false;
        self.report = report;
    }
}

/// A worker.
pub(crate) struct Agent {
    /// Its clock: true milliseconds times `rate` / 1000, plus `offset`.
    rate: u64,
    offset: u64,
    pub(crate) is_up: bool,
    session: String,
    epoch: Option<Epoch>,
    sequence: u64,
    answered: u64,
    /// When it polls, or says hello, again although no answer came.
    retry_at: u64,
    /// When it sends again what was not acknowledged.
    resend_at: u64,
    pub(crate) not_ready: bool,
    pub(crate) ledger: BTreeMap<JobRef, Kept>,
    /// Of each job, the newest fence it has had or refused. On its disk.
    newest: BTreeMap<JobId, Fence>,
    cancelling: Vec<JobRef>,
}

impl Agent {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            rate: random.between(990, 1010),
            offset: random.between(0, 10_000_000),
            is_up: true,
            session: random.next().to_string(),
            epoch: None,
            sequence: 0,
            answered: 0,
            retry_at: 0,
            resend_at: 0,
            not_ready: false,
            ledger: BTreeMap::new(),
            newest: BTreeMap::new(),
            cancelling: Vec::new(),
        }
    }

    fn clock(&self, now: u64) -> u64 {
        now * self.rate / 1000 + self.offset
    }

    fn held(&self) -> Vec<Held> {
        self.ledger
            .iter()
            .map(|(job, kept)| Held { job: job.job, fence: job.fence, phase: kept.phase })
            .collect()
    }

    /// The agent dies; its keepers and its ledger do not.
    pub(crate) fn crash(&mut self) {
        self.is_up = false;
    }

    /// The host goes down with everything that runs on it.
    pub(crate) fn power_cut(&mut self) {
        self.is_up = false;
        for kept in self.ledger.values_mut() {
            if kept.phase != Phase::Shipping {
                kept.over(Report::Lost);
            }
        }
    }

    /// The keeper of some job dies, and its job with it.
    pub(crate) fn kill_one(&mut self, random: &mut Random) {
        let running: Vec<_> =
            self.ledger.iter().filter(|(_, kept)| kept.alive).map(|(job, _)| *job).collect();
        if running.is_empty() {
            return;
        }
        if let Some(kept) = self.ledger.get_mut(random.pick(&running)) {
            kept.over(Report::Finished(Verdict::Incomplete, Some(Fault::Infrastructure)));
        }
    }

    /// The agent is started again.
    pub(crate) fn start(&mut self, now: u64, random: &mut Random) {
        self.is_up = true;
        self.session = random.next().to_string();
        self.epoch = None;
        self.sequence = 0;
        self.answered = 0;
        self.retry_at = self.clock(now);
        self.cancelling.clear();
    }

    /// Keepers, with or without an agent: end what is due, and what is not lent any more.
    pub(crate) fn keep(&mut self, now: u64) {
        let clock = self.clock(now);
        for kept in self.ledger.values_mut().filter(|kept| kept.phase != Phase::Shipping) {
            if clock + KILL_EARLY >= kept.lease_until {
                kept.over(Report::Lost);
            } else if clock >= kept.due && kept.phase == Phase::Running {
                kept.over(kept.report);
            }
        }
    }

    /// What a running agent does by itself.
    pub(crate) fn act(&mut self, now: u64, random: &mut Random) -> Vec<(u64, Request)> {
        let clock = self.clock(now);
        let mut requests = Vec::new();
        let mut changed = false;
        for (job, kept) in &mut self.ledger {
            if kept.phase == Phase::Accepted && clock >= kept.due {
                if random.chance(2) {
                    // It cannot be started here.
                    kept.over(Report::Returned);
                } else {
                    kept.phase = Phase::Running;
                    kept.alive = true;
                    kept.due = clock + random.between(500, 90_000);
                }
                changed = true;
            }
            if kept.phase == Phase::Running && !kept.told_started {
                kept.told_started = true;
                requests.push(Request::Started(*job));
            }
        }
        if clock >= self.resend_at {
            self.resend_at = clock + 1_000;
            requests.extend(self.ledger.iter().filter(|(_, kept)| kept.phase == Phase::Shipping).map(
                |(job, kept)| match kept.report {
                    Report::Lost => Request::Lost(*job),
                    Report::Returned => Request::Return(*job),
                    Report::Finished(verdict, fault) => Request::Finish { job: *job, verdict, fault },
                },
            ));
        }
        if self.epoch.is_none() {
            if clock >= self.retry_at {
                self.retry_at = clock + 2_000;
                requests.push(Request::Hello { session: self.session.clone() });
            }
        } else if clock >= self.retry_at || changed {
            requests.extend(self.poll(clock));
        }
        requests.into_iter().map(|request| (clock, request)).collect()
    }

    fn poll(&mut self, clock: u64) -> Option<Request> {
        self.sequence += 1;
        self.retry_at = clock + 25_000;
        Some(Request::Poll {
            epoch: self.epoch?,
            sequence: self.sequence,
            held: self.held(),
            not_ready: self.not_ready,
            seen: self.cancelling.clone(),
        })
    }

    /// An answer arrived.
    pub(crate) fn hear(
        &mut self,
        now: u64,
        answer: Answer,
        device_of: impl Fn(JobRef) -> Option<DeviceName>,
        random: &mut Random,
    ) -> Vec<(u64, Request)> {
        let clock = self.clock(now);
        match answer.reply {
            Reply::Welcome { session, epoch } => {
                if session == self.session && self.epoch.is_none() {
                    self.epoch = Some(epoch);
                    self.retry_at = clock;
                }
                Vec::new()
            }
            Reply::StaleSession => {
                if self.epoch.is_some() {
                    self.start(now, random);
                }
                Vec::new()
            }
            Reply::Done(job) => {
                self.ledger.remove(&job);
                self.cancelling.retain(|cancelling| *cancelling != job);
                Vec::new()
            }
            Reply::Orders { epoch, sequence, held, orders } => {
                if self.epoch != Some(epoch) || sequence <= self.answered {
                    return Vec::new();
                }
                self.answered = sequence;
                for job in held {
                    if let Some(kept) = self.ledger.get_mut(&job) {
                        kept.lease_until = kept.lease_until.max(answer.sent + LEASE);
                    }
                }
                self.obey(clock, answer.sent, &orders, device_of, random);
                let requests = if sequence == self.sequence { self.poll(clock) } else { None };
                requests.into_iter().map(|request| (clock, request)).collect()
            }
        }
    }

    fn obey(
        &mut self,
        clock: u64,
        sent: u64,
        orders: &Orders,
        device_of: impl Fn(JobRef) -> Option<DeviceName>,
        random: &mut Random,
    ) {
        for stop in &orders.stop {
            self.ledger.remove(stop);
        }
        for cancel in &orders.cancel {
            if !self.cancelling.contains(cancel) {
                self.cancelling.push(*cancel);
            }
            let newest = self.newest.entry(cancel.job).or_default();
            *newest = (*newest).max(cancel.fence);
            let due = clock + random.between(0, 3_000);
            let cancelled = Report::Finished(Verdict::Cancelled, None);
            let kept = self.ledger.entry(*cancel).or_insert_with(|| Kept::new(sent, clock, None, cancelled));
            match kept.phase {
                Phase::Accepted => kept.over(cancelled),
                Phase::Running => {
                    kept.due = kept.due.min(due);
                    kept.report = cancelled;
                }
                Phase::Shipping => {}
            }
        }
        for offer in &orders.offers {
            let newest = self.newest.entry(offer.job).or_default();
            if offer.fence <= *newest || clock + KILL_EARLY >= sent + LEASE {
                continue;
            }
            *newest = offer.fence;
            let due = clock + random.between(5, 500);
            let report = match random.between(0, 19) {
                0 => Report::Finished(Verdict::Incomplete, Some(Fault::Infrastructure)),
                1..=3 => Report::Finished(Verdict::Incomplete, Some(Fault::Job)),
                _ => Report::Finished(Verdict::Complete, None),
            };
            self.ledger.insert(*offer, Kept::new(sent, due, device_of(*offer), report));
        }
    }
}

//! A small lab to try one rule at a time in.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pumice_api::worker::{Fence, Held, JobRef, Orders, Phase};
use pumice_sched::{
    Action, Device, DeviceHealth, Event, FinishReason, JobKind, JobRequest, Lab, Member, Policy, Time,
    WorkerFacts,
};
use pumice_types::{DeviceName, Fault, JobId, Verdict, WorkerName};

pub(crate) const SECOND: u64 = 1_000;

/// A lab, its time, and how far each worker is with its polls.
pub(crate) struct Floor {
    pub(crate) lab: Lab,
    pub(crate) now: u64,
    sequences: BTreeMap<WorkerName, u64>,
}

impl Floor {
    /// A lab of `devices` (`name type worker [tag…]`), all good, all workers there.
    pub(crate) fn new(devices: &[&str]) -> Self {
        Self::with_policy(devices, Policy::default())
    }

    pub(crate) fn with_policy(devices: &[&str], policy: Policy) -> Self {
        let mut floor = Self { lab: Lab::new(policy, Time(0)), now: 0, sequences: BTreeMap::new() };
        for line in devices {
            let words: Vec<_> = line.split(' ').collect();
            let worker = WorkerName::from(words[2]);
            floor.worker(WorkerFacts::new(words[2]));
            let mut device = Device::new(words[0], words[1], worker);
            device.tags = words[3..].iter().map(|tag| (*tag).to_owned()).collect();
            floor.step(Event::PutDevice(device));
        }
        floor
    }

    pub(crate) fn step(&mut self, event: Event) -> Vec<Action> {
        let actions = self.lab.step(event, Time(self.now));
        assert_eq!(self.lab.contradictions(), Vec::<String>::new());
        actions
    }

    /// A worker appears, or changes.
    pub(crate) fn worker(&mut self, facts: WorkerFacts) {
        let name = facts.name.clone();
        self.step(Event::PutWorker(facts));
        self.hello(name.as_str(), "first session");
    }

    pub(crate) fn hello(&mut self, worker: &str, session: &str) -> Vec<Action> {
        self.sequences.insert(worker.into(), 0);
        self.step(Event::WorkerHello { worker: worker.into(), session: session.to_owned() })
    }

    /// Time goes on for everybody: workers poll and hold on to what they have, the server ticks.
    pub(crate) fn pass(&mut self, seconds: u64) -> Vec<Action> {
        self.pass_without(seconds, &[])
    }

    /// Time goes on, but these workers are not heard of.
    pub(crate) fn pass_without(&mut self, seconds: u64, silent: &[&str]) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..seconds {
            self.now += SECOND;
            let names: Vec<_> = self.lab.workers().map(|worker| worker.facts.name.clone()).collect();
            for name in names.iter().filter(|name| !silent.contains(&name.as_str())) {
                let held: Vec<_> = self.lab.jobs_of(name).map(pumice_sched::Job::job_ref).collect();
                actions.extend(self.poll(name.as_str(), &held));
            }
            actions.extend(self.step(Event::Tick));
        }
        actions
    }

    /// The worker polls, holding `held`, which run.
    pub(crate) fn poll(&mut self, worker: &str, held: &[JobRef]) -> Vec<Action> {
        let sequence = self.sequences.entry(worker.into()).or_default();
        *sequence += 1;
        let (sequence, name) = (*sequence, WorkerName::from(worker));
        let epoch = self.lab.worker(&name).expect("a worker of the lab").epoch;
        let held = held.iter().map(|job| running(*job)).collect();
        self.step(Event::WorkerPolled { worker: name, epoch, sequence, held, not_ready: None })
    }

    pub(crate) fn orders(&self, worker: &str, held: &[JobRef]) -> Orders {
        let held: Vec<_> = held.iter().map(|job| running(*job)).collect();
        self.lab.orders(&worker.into(), &held)
    }

    pub(crate) fn submit(&mut self, job: JobRequest) -> Vec<Action> {
        self.step(Event::Submit(vec![job]))
    }

    /// The job's worker says that it is complete.
    pub(crate) fn complete(&mut self, id: i64) -> Vec<Action> {
        self.finish(id, Verdict::Complete, None)
    }

    pub(crate) fn finish(&mut self, id: i64, verdict: Verdict, fault: Option<Fault>) -> Vec<Action> {
        let job = self.lab.job(JobId(id)).expect("a job of the lab").job_ref();
        self.step(Event::JobFinished { job, verdict, fault })
    }

    pub(crate) fn health(&self, device: &str) -> DeviceHealth {
        self.lab.device(&DeviceName::from(device)).expect("a device of the lab").health
    }

    pub(crate) fn is_waiting(&self, id: i64) -> bool {
        self.lab.job(JobId(id)).is_some_and(|job| job.given.is_none())
    }

    /// The device that a job has.
    pub(crate) fn device_of(&self, id: i64) -> Option<String> {
        Some(self.lab.job(JobId(id))?.given.as_ref()?.device.as_ref()?.to_string())
    }
}

fn running(job: JobRef) -> Held {
    Held { job: job.job, fence: job.fence, phase: Phase::Running }
}

/// A job of user `ann` with no wishes, submitted at its number of milliseconds.
pub(crate) fn job(id: i64, device_type: &str) -> JobRequest {
    JobRequest::new(JobId(id), "ann", Time(u64::try_from(id).unwrap_or(0)), device_type)
}

/// A job of somebody.
pub(crate) fn job_of(id: i64, submitter: &str, device_type: &str) -> JobRequest {
    JobRequest { submitter: submitter.to_owned(), ..job(id, device_type) }
}

/// A member of the group `g`.
pub(crate) fn member(id: i64, device_type: &str, group: &str, essential: bool) -> JobRequest {
    let member = Member { group: group.to_owned(), essential, beside: None };
    JobRequest { kind: JobKind::Member(member), ..job(id, device_type) }
}

pub(crate) fn tags(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The jobs that were given, and where: `(1, "d1")`.
pub(crate) fn given(actions: &[Action]) -> Vec<(i64, String)> {
    let mut given = Vec::new();
    for action in actions {
        if let Action::Assign { job, device, worker, .. } = action {
            given.push((job.0, device.as_ref().map_or_else(|| format!("on {worker}"), ToString::to_string)));
        }
    }
    given
}

/// The jobs that ended.
pub(crate) fn ended(actions: &[Action]) -> Vec<(i64, Verdict, FinishReason)> {
    let mut ended = Vec::new();
    for action in actions {
        if let Action::FinishJob { job, verdict, reason } = action {
            ended.push((job.0, *verdict, *reason));
        }
    }
    ended
}

pub(crate) fn job_ref(id: i64, fence: u64) -> JobRef {
    JobRef { job: JobId(id), fence: Fence(fence) }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

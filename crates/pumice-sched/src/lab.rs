//! The state of the lab and its one entrance, [`Lab::step`].

use std::collections::{BTreeMap, BTreeSet};

use pumice_api::worker::{Epoch, Fence};
use pumice_types::{DeviceName, JobId, JobState, WorkerName};

use crate::{
    Action, Device, DeviceType, Event, Giving, Job, JobKind, JobRequest, Policy, Time, Worker, WorkerFacts,
    health::Check, queue::Queue, room::Placed, share::Shares,
};

/// Everything that decides who runs where. Changed by [`Lab::step`] alone.
#[derive(Clone, Debug, Default)]
pub struct Lab {
    pub(crate) policy: Policy,
    pub(crate) now: Time,
    pub(crate) types: BTreeMap<String, DeviceType>,
    pub(crate) devices: BTreeMap<DeviceName, Device>,
    pub(crate) by_type: BTreeMap<String, BTreeSet<DeviceName>>,
    pub(crate) workers: BTreeMap<WorkerName, Worker>,
    pub(crate) licences: BTreeMap<String, u32>,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) groups: BTreeMap<String, BTreeSet<JobId>>,
    pub(crate) queue: Queue,
    pub(crate) on_worker: BTreeMap<WorkerName, BTreeSet<JobId>>,
    pub(crate) on_device: BTreeMap<DeviceName, BTreeSet<JobId>>,
    pub(crate) shares: Shares,
    pub(crate) checks: BTreeMap<DeviceName, Check>,
}

/// What the database keeps of a lab: enough to go on after a restart of the server.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The device types by name.
    pub types: BTreeMap<String, DeviceType>,
    /// The devices.
    pub devices: Vec<Device>,
    /// The workers, and the number of the last session of each.
    pub workers: Vec<(WorkerFacts, Epoch)>,
    /// The seats of each licence.
    pub licences: BTreeMap<String, u32>,
    /// The jobs that have not ended.
    pub jobs: Vec<Job>,
}

impl Lab {
    /// An empty lab.
    pub fn new(policy: Policy, now: Time) -> Self {
        Self { policy, now, ..Self::default() }
    }

    /// The lab of `record`. Every lease counts as renewed now: the server cannot know what workers sent while it was
    /// down. Workers are offline until they are heard of.
    pub fn restore(policy: Policy, record: Record, now: Time) -> Self {
        let mut lab = Self::new(policy, now);
        lab.types = record.types;
        lab.licences = record.licences;
        lab.workers = record
            .workers
            .into_iter()
            .map(|(facts, epoch)| (facts.name.clone(), Worker::new(facts, epoch)))
            .collect();
        for device in record.devices {
            lab.put_device(device);
        }
        for mut job in record.jobs {
            if let Some(giving) = &mut job.given {
                giving.lease_until = now + lab.policy.lease;
            }
            lab.admit(job);
        }
        for entry in Self::entries(&lab.jobs) {
            lab.enqueue(&entry);
        }
        lab
    }

    /// What the database keeps.
    pub fn record(&self) -> Record {
        Record {
            types: self.types.clone(),
            devices: self.devices.values().cloned().collect(),
            workers: self.workers.values().map(|worker| (worker.facts.clone(), worker.epoch)).collect(),
            licences: self.licences.clone(),
            jobs: self.jobs.values().cloned().collect(),
        }
    }

    /// What `event` leads to. `now` should not go back; if it does, time stands still until it has caught up.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        self.advance(now);
        match event {
            Event::Submit(requests) => self.submit(requests, &mut actions),
            Event::Cancel(job) => self.cancel(job, None, &mut actions),
            Event::GiveUp(job) => self.give_up(job, &mut actions),
            Event::SetPriority(job, priority) => self.set_priority(job, priority),
            Event::PutDeviceType(name, device_type) => {
                self.types.insert(name, device_type);
            }
            Event::PutDevice(device) => self.put_device(device),
            Event::RemoveDevice(name) => self.remove_device(&name),
            Event::SetDeviceHealth(name, health) => self.set_device_health(&name, health, &mut actions),
            Event::PutWorker(facts) => self.put_worker(facts),
            Event::RemoveWorker(name) => self.remove_worker(&name),
            Event::SetWorkerHealth(name, health) => self.set_worker_health(&name, health, &mut actions),
            Event::PutLicence(name, seats) => {
                self.licences.insert(name, seats);
            }
            Event::WorkerHello { worker, session } => self.hello(&worker, session, &mut actions),
            Event::WorkerPolled { worker, epoch, sequence, held, not_ready } => {
                self.polled(&worker, epoch, sequence, &held, not_ready, &mut actions);
            }
            Event::WorkerGoodbye { worker, epoch } => self.goodbye(&worker, epoch, &mut actions),
            Event::JobStarted(job) => self.started(job, &mut actions),
            Event::JobFinished { job, verdict, fault } => self.finished(job, verdict, fault, &mut actions),
            Event::JobReturned(job) => self.returned(job, &mut actions),
            Event::MemberFailed(job) => self.member_failed(job, &mut actions),
            Event::JobLost(job) => self.lost(job, &mut actions),
            Event::Tick => self.tick(&mut actions),
        }
        self.ask_for_checks(&mut actions);
        self.schedule(&mut actions);
        actions
    }

    /// Takes the new time. After a jump, nobody is worse off for the time in which nobody was listened to.
    fn advance(&mut self, now: Time) {
        let gap = now - self.now;
        self.now = self.now.max(now);
        if gap > self.policy.stall {
            for giving in self.jobs.values_mut().filter_map(|job| job.given.as_mut()) {
                giving.lease_until = giving.lease_until + gap;
            }
            for last_seen in self.workers.values_mut().filter_map(|worker| worker.last_seen.as_mut()) {
                *last_seen = *last_seen + gap;
            }
        }
    }

    fn submit(&mut self, requests: Vec<JobRequest>, actions: &mut Vec<Action>) {
        if requests.iter().any(|request| self.jobs.contains_key(&request.id)) {
            return;
        }
        let ids: Vec<_> = requests.into_iter().map(|request| self.admit(Job::queued(request))).collect();
        self.enqueue(&ids);
        for id in ids {
            let request = &self.jobs[&id].request;
            if request.kind == JobKind::HealthCheck
                && let Some(device) = request.device.clone()
            {
                self.check_submitted(device, id, actions);
            }
        }
    }

    /// Adds a job, wherever it stands, to the books.
    fn admit(&mut self, job: Job) -> JobId {
        let id = job.id();
        if let Some(member) = job.request.member() {
            self.groups.entry(member.group.clone()).or_default().insert(id);
        }
        if job.request.kind == JobKind::HealthCheck
            && let Some(device) = &job.request.device
        {
            self.checks.insert(device.clone(), Check::Job(id));
        }
        if let Some(giving) = &job.given {
            self.on_worker.entry(giving.worker.clone()).or_default().insert(id);
            if let Some(device) = &giving.device {
                self.on_device.entry(device.clone()).or_default().insert(id);
            }
            self.shares.take(&job.request.submitter);
        }
        self.jobs.insert(id, job);
        id
    }

    /// The waiting jobs as entries: groups together.
    fn entries(jobs: &BTreeMap<JobId, Job>) -> Vec<Vec<JobId>> {
        let mut groups: BTreeMap<&str, Vec<JobId>> = BTreeMap::new();
        let mut entries = Vec::new();
        for job in jobs.values().filter(|job| job.state == JobState::Submitted) {
            match job.request.member() {
                Some(member) => groups.entry(&member.group).or_default().push(job.id()),
                None => entries.push(vec![job.id()]),
            }
        }
        entries.extend(groups.into_values());
        entries
    }

    pub(crate) fn enqueue(&mut self, ids: &[JobId]) {
        let requests: Vec<_> = ids.iter().filter_map(|id| Some(&self.jobs.get(id)?.request)).collect();
        self.queue.insert(&requests);
    }

    /// Takes `job`'s entry, with the whole group it may belong to, out of the queue.
    pub(crate) fn dequeue(&mut self, job: JobId) {
        let first = self.first_of_entry(job);
        self.queue.remove(first);
    }

    pub(crate) fn first_of_entry(&self, job: JobId) -> JobId {
        let group = self.jobs.get(&job).and_then(|job| job.request.member()).map(|member| &member.group);
        group.and_then(|group| self.groups.get(group)?.first().copied()).unwrap_or(job)
    }

    fn set_priority(&mut self, job: JobId, priority: i32) {
        let first = self.first_of_entry(job);
        self.queue.set_priority(first, priority);
        if let Some(job) = self.jobs.get_mut(&job) {
            job.request.priority = priority;
        }
    }

    pub(crate) fn promote(&mut self) {
        self.queue.promote(self.now, self.policy.promote_after);
    }

    /// Lends `job` to the worker of `place`.
    pub(crate) fn give(&mut self, id: JobId, place: Placed, actions: &mut Vec<Action>) {
        self.dequeue(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Ok(state) = job.state.next(pumice_types::JobEvent::Schedule) else { return };
        job.state = state;
        job.fence = Fence(job.fence.0 + 1);
        job.given = Some(Giving {
            worker: place.worker.clone(),
            device: place.device.clone(),
            since: self.now,
            lease_until: self.now + self.policy.lease,
            acknowledged: false,
            started: None,
        });
        self.on_worker.entry(place.worker.clone()).or_default().insert(id);
        if let Some(device) = &place.device {
            self.on_device.entry(device.clone()).or_default().insert(id);
        }
        self.shares.take(&job.request.submitter);
        actions.push(Action::Assign {
            job: id,
            fence: job.fence,
            worker: place.worker,
            device: place.device,
        });
    }

    /// Takes `job` back from its worker, which is known not to run it any more.
    pub(crate) fn take_back(&mut self, id: JobId) -> Option<Giving> {
        let job = self.jobs.get_mut(&id)?;
        let giving = job.given.take()?;
        if let Some(jobs) = self.on_worker.get_mut(&giving.worker) {
            jobs.remove(&id);
        }
        if let Some(device) = &giving.device
            && let Some(jobs) = self.on_device.get_mut(device)
        {
            jobs.remove(&id);
        }
        self.shares.give_back(&self.policy, &job.request.submitter, giving.since, self.now);
        Some(giving)
    }

    fn put_device(&mut self, mut device: Device) {
        if let Some(known) = self.devices.get(&device.name) {
            device.health = known.health;
            device.last_check = known.last_check;
            device.jobs_since_check = known.jobs_since_check;
            self.remove_device(&device.name.clone());
        }
        self.by_type.entry(device.device_type.clone()).or_default().insert(device.name.clone());
        self.devices.insert(device.name.clone(), device);
    }

    fn remove_device(&mut self, name: &DeviceName) {
        let Some(device) = self.devices.remove(name) else { return };
        if let Some(names) = self.by_type.get_mut(&device.device_type) {
            names.remove(name);
        }
    }

    fn put_worker(&mut self, mut facts: WorkerFacts) {
        match self.workers.get_mut(&facts.name) {
            Some(worker) => {
                facts.health = worker.facts.health;
                worker.facts = facts;
            }
            None => {
                self.workers.insert(facts.name.clone(), Worker::new(facts, Epoch(0)));
            }
        }
    }

    fn remove_worker(&mut self, name: &WorkerName) {
        if self.count_on_worker(name) == 0 {
            self.workers.remove(name);
        }
    }

    fn tick(&mut self, actions: &mut Vec<Action>) {
        self.expire_leases(actions);
        self.expire_queue(actions);
        self.miss_workers(actions);
        self.shares.forget(&self.policy, self.now);
    }
}

//! Looking at the lab: what it knows, and whether its books are in order.

use std::collections::{BTreeMap, BTreeSet};

use pumice_types::{DeviceName, JobId, JobState, WorkerName};

use crate::{
    Device, DeviceState, DeviceType, Job, Lab, Policy, Time, Worker,
    queue::{Queue, Usage},
};

impl Lab {
    /// The numbers it goes by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The time of the last event.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A job that has not ended.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// All jobs that have not ended.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// The jobs that are lent to `worker`.
    pub fn jobs_of(&self, worker: &WorkerName) -> impl Iterator<Item = &Job> {
        self.on_worker.get(worker).into_iter().flatten().filter_map(|id| self.jobs.get(id))
    }

    /// A device.
    pub fn device(&self, name: &DeviceName) -> Option<&Device> {
        self.devices.get(name)
    }

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// What a device is doing.
    pub fn device_state(&self, name: &DeviceName) -> DeviceState {
        let mut state = DeviceState::Idle;
        for job in self.on_device.get(name).into_iter().flatten().filter_map(|id| self.jobs.get(id)) {
            match job.given.as_ref().and_then(|giving| giving.started) {
                Some(_) => return DeviceState::Running,
                None => state = DeviceState::Reserved,
            }
        }
        state
    }

    /// The jobs that a device is given to.
    pub fn device_jobs(&self, name: &DeviceName) -> impl Iterator<Item = JobId> {
        self.on_device.get(name).into_iter().flatten().copied()
    }

    /// A worker.
    pub fn worker(&self, name: &WorkerName) -> Option<&Worker> {
        self.workers.get(name)
    }

    /// All workers.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// The seats of each licence.
    pub fn licences(&self) -> &BTreeMap<String, u32> {
        &self.licences
    }

    /// The device types.
    pub fn types(&self) -> &BTreeMap<String, DeviceType> {
        &self.types
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(crate) fn usage(&self, submitter: &str) -> Usage {
        self.shares.usage(&self.policy, submitter, self.now)
    }

    pub(crate) fn given_jobs(&self) -> impl Iterator<Item = &Job> {
        self.on_worker.values().flatten().filter_map(|id| self.jobs.get(id))
    }

    pub(crate) fn jobs_on(&self, device: &DeviceName) -> u32 {
        self.on_device.get(device).map_or(0, |jobs| u32::try_from(jobs.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn count_on_worker(&self, worker: &WorkerName) -> u32 {
        self.on_worker.get(worker).map_or(0, |jobs| u32::try_from(jobs.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn devices_of_type(&self, device_type: &str) -> impl Iterator<Item = &Device> {
        self.by_type.get(device_type).into_iter().flatten().filter_map(|name| self.devices.get(name))
    }

    /// Whether `worker` handed `job` back a short while ago.
    pub(crate) fn avoids(&self, job: &Job, worker: Option<&WorkerName>) -> bool {
        job.avoid.as_ref().is_some_and(|(avoided, until)| Some(avoided) == worker && self.now < *until)
    }

    /// The models `job` needs that `worker` does not have.
    pub(crate) fn lacks_models(&self, job: &Job, worker: Option<&WorkerName>) -> Vec<String> {
        let needed = &job.request.models;
        if needed.is_empty() {
            return Vec::new();
        }
        let worker = worker.and_then(|name| self.worker(name));
        needed
            .iter()
            .filter(|model| worker.is_none_or(|worker| !worker.facts.models.contains(*model)))
            .cloned()
            .collect()
    }

    /// What cannot be if every slot that was lent is accounted for; empty when all is well. For tests, and for
    /// a server that would rather know.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let given = self.jobs.values().filter(|job| job.given.is_some()).count();
        let listed: usize = self.on_worker.values().map(BTreeSet::len).sum();
        if given != listed || given != self.shares.held_in_all() {
            found.push(format!("{given} jobs are lent, {listed} listed, {} held", self.shares.held_in_all()));
        }
        for job in self.jobs.values() {
            let waits = job.state == JobState::Submitted;
            if waits == job.given.is_some() || matches!(job.state, JobState::Finished(_)) {
                found.push(format!("job {} is {:?} with {:?}", job.id(), job.state, job.given));
            }
            if waits && self.queue.get(self.first_of_entry(job.id())).is_none() {
                found.push(format!("job {} waits and is not in the queue", job.id()));
            }
        }
        for (name, jobs) in &self.on_device {
            if let Some(device) = self.devices.get(name)
                && jobs.len() > device.slots as usize
            {
                found.push(format!("device {name} has {} slots and {jobs:?}", device.slots));
            }
        }
        let queued: usize = self.queue.iter().map(|(_, entry)| entry.jobs.len()).sum();
        let waiting = self.jobs.values().filter(|job| job.state == JobState::Submitted).count();
        if queued != waiting {
            found.push(format!("{queued} jobs are queued, {waiting} wait"));
        }
        found
    }
}

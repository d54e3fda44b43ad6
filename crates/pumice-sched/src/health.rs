//! The health of devices: checks, and what jobs and people say of it.

use pumice_types::{DeviceName, Fault, JobId, JobState, Verdict};

use crate::{
    Action, DeviceHealth, FinishReason, Giving, HealthReason, Job, JobKind, Lab, Time, Worker, WorkerHealth,
};

/// A health check on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Asked for at this time; the server has not submitted it yet.
    Asked(Time),
    /// This job.
    Job(JobId),
}

impl Lab {
    /// Whether a health check is due or on its way, so that no other job may begin on the device.
    pub(crate) fn is_being_checked(&self, name: &DeviceName) -> bool {
        matches!(self.checks.get(name), Some(Check::Job(_)))
            || self.device(name).is_some_and(|device| device.check_is_due(self.types(), self.now()))
    }

    /// Asks the server for the health checks that are due on idle devices whose worker is there.
    pub(crate) fn ask_for_checks(&mut self, actions: &mut Vec<Action>) {
        if self.types().values().all(|device_type| device_type.check.is_none()) {
            return;
        }
        let now = self.now();
        let retry = self.policy().check_retry;
        let due: Vec<_> = self
            .devices()
            .filter(|device| device.check_is_due(self.types(), now))
            .filter(|device| match self.checks.get(&device.name) {
                None => true,
                Some(Check::Asked(at)) => now > *at + retry,
                Some(Check::Job(_)) => false,
            })
            .filter(|device| self.jobs_on(&device.name) == 0)
            .filter(|device| {
                device.worker.as_ref().and_then(|name| self.worker(name)).is_some_and(Worker::takes_jobs)
            })
            .map(|device| device.name.clone())
            .collect();
        for name in due {
            self.checks.insert(name.clone(), Check::Asked(now));
            actions.push(Action::StartHealthCheck(name));
        }
    }

    pub(crate) fn check_submitted(&mut self, name: DeviceName, job: JobId, actions: &mut Vec<Action>) {
        let now = self.now();
        if let Some(device) = self.devices.get_mut(&name) {
            device.last_check = Some(now);
            device.jobs_since_check = 0;
            actions.push(Action::RecordCheck { device: name.clone() });
        }
        self.checks.insert(name, Check::Job(job));
    }

    /// What the end of `job` says of its device.
    pub(crate) fn judge_device(
        &mut self,
        job: &Job,
        giving: Option<&Giving>,
        verdict: Verdict,
        reason: FinishReason,
        fault: Option<Fault>,
        actions: &mut Vec<Action>,
    ) {
        let is_check = job.request.kind == JobKind::HealthCheck;
        if is_check
            && let Some(name) = &job.request.device
            && self.checks.get(name) == Some(&Check::Job(job.id()))
        {
            self.checks.remove(name);
        }
        let Some(name) = giving.and_then(|giving| giving.device.as_ref()) else { return };
        let Some(device) = self.devices.get_mut(name) else { return };
        if !is_check {
            device.jobs_since_check = device.jobs_since_check.saturating_add(1);
            actions.push(Action::RecordCheck { device: name.clone() });
        }
        // What a worker did not report says nothing about the device.
        if reason != FinishReason::Reported {
            return;
        }
        let health = device.health;
        if is_check {
            let judged = matches!(health, DeviceHealth::Good | DeviceHealth::Unknown | DeviceHealth::Bad);
            let (after, why) = if verdict == Verdict::Complete {
                (DeviceHealth::Good, HealthReason::CheckPassed(job.id()))
            } else {
                (DeviceHealth::Bad, HealthReason::CheckFailed(job.id()))
            };
            if judged {
                self.change_health(&name.clone(), after, why, actions);
            }
        } else if let Some(fault @ (Fault::Infrastructure | Fault::Configuration | Fault::Bug)) = fault
            && health == DeviceHealth::Good
        {
            // Only a good device becomes doubtful: what a person decided meanwhile stays (lava-compat 9, row 41).
            let why = HealthReason::JobFault(job.id(), fault);
            self.change_health(&name.clone(), DeviceHealth::Unknown, why, actions);
        }
    }

    pub(crate) fn set_device_health(
        &mut self,
        name: &DeviceName,
        health: DeviceHealth,
        actions: &mut Vec<Action>,
    ) {
        self.change_health(name, health, HealthReason::Person, actions);
        if !health.takes_checks()
            && let Some(Check::Asked(_)) = self.checks.get(name)
        {
            self.checks.remove(name);
        }
    }

    fn change_health(
        &mut self,
        name: &DeviceName,
        health: DeviceHealth,
        reason: HealthReason,
        actions: &mut Vec<Action>,
    ) {
        let Some(device) = self.devices.get_mut(name) else { return };
        if device.health != health {
            device.health = health;
            actions.push(Action::SetDeviceHealth { device: name.clone(), health, reason });
        }
        if !health.takes_checks() {
            self.forget_check(name, actions);
        }
    }

    /// A device that takes no checks has no use for one that still waits.
    fn forget_check(&mut self, name: &DeviceName, actions: &mut Vec<Action>) {
        match self.checks.get(name) {
            Some(Check::Asked(_)) => {
                self.checks.remove(name);
            }
            Some(Check::Job(id)) => {
                let id = *id;
                if self.job(id).is_some_and(|job| job.state == JobState::Submitted) {
                    self.end(id, Verdict::Cancelled, FinishReason::CancelledInQueue, None, actions);
                }
            }
            None => {}
        }
    }

    /// A person decided about a worker; its devices follow (lava-compat 6.1).
    pub(crate) fn set_worker_health(
        &mut self,
        name: &pumice_types::WorkerName,
        health: WorkerHealth,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.workers.get_mut(name) else { return };
        let before = std::mem::replace(&mut worker.facts.health, health);
        let follow = |device: DeviceHealth| match (before, health, device) {
            (WorkerHealth::Maintenance, WorkerHealth::Active, DeviceHealth::Good) => {
                Some(DeviceHealth::Unknown)
            }
            (_, WorkerHealth::Retired, DeviceHealth::Bad | DeviceHealth::Retired) => None,
            (_, WorkerHealth::Retired, _) => Some(DeviceHealth::Retired),
            _ => None,
        };
        let changes: Vec<_> = self
            .devices()
            .filter(|device| device.worker.as_ref() == Some(name))
            .filter_map(|device| Some((device.name.clone(), follow(device.health)?)))
            .collect();
        for (device, health) in changes {
            self.change_health(&device, health, HealthReason::Worker, actions);
        }
    }
}

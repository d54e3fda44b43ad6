//! Why a job waits, and what would let it run.

use std::{collections::BTreeMap, fmt};

use pumice_types::{JobId, JobState};

use crate::{DeviceHealth, Job, JobKind, Lab, WorkerHealth, WorkerState, queue::Queue, room::Room};

/// What a waiting job waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// How many jobs or groups of the same device type come before it, fair share aside.
    pub ahead: usize,
    /// What stands in the way, and for how many devices: each device is counted under the first thing that keeps
    /// the job from it. Empty when the job is about to run.
    pub obstacles: Vec<(Obstacle, usize)>,
}

/// One thing that keeps a job from a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The lab has no device of this type.
    NoDevice {
        /// The type.
        device_type: String,
    },
    /// It is not the device, or not on the worker, that the job names.
    NotTheOneNamed,
    /// It lacks these tags.
    MissingTags(Vec<String>),
    /// Its worker does not have these models.
    MissingModels(Vec<String>),
    /// The submitter may not use it.
    NotPermitted,
    /// Its health does not allow jobs.
    Health(DeviceHealth),
    /// A health check comes first.
    HealthCheck,
    /// It has no worker.
    NoWorker,
    /// Its worker is not there.
    WorkerOffline(String),
    /// Its worker is in maintenance or retired.
    WorkerHealth(String, WorkerHealth),
    /// Its worker takes no job now.
    WorkerNotReady(String, String),
    /// Its worker handed this job back a moment ago.
    HandedBack(String),
    /// Other jobs use it.
    Busy,
    /// Its worker has not enough cores, memory or places for jobs left.
    WorkerFull(String),
    /// All seats of a licence are taken, or the lab has fewer than the job needs.
    Seats {
        /// The licence.
        licence: String,
        /// How many it needs.
        needed: u32,
        /// How many the lab has.
        of: u32,
    },
    /// Free, but kept for a job that has waited longer, or not enough for the whole group.
    SetAside,
}

impl Obstacle {
    /// What would remove it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoDevice { .. } => "add a device of this type, or correct the job's device_type",
            Self::NotTheOneNamed => "name no device and no worker in the job",
            Self::MissingTags(_) => "give a device these tags, or ask for fewer",
            Self::MissingModels(_) => {
                "install the model on a worker, or say in the worker's configuration where it is"
            }
            Self::NotPermitted => "ask the device's owner for the right to submit to it",
            Self::Health(DeviceHealth::Bad) => {
                "find out why the last health check failed and set the device to Unknown"
            }
            Self::Health(_) => "set the device's health to Good or Unknown",
            Self::HealthCheck => "wait for the health check to end",
            Self::NoWorker => "assign the device to a worker",
            Self::WorkerOffline(_) => "start the worker, or find out why it cannot reach the server",
            Self::WorkerHealth(..) => "set the worker's health to Active",
            Self::WorkerNotReady(..) => "remove what the worker complains of",
            Self::HandedBack(_) => "wait a minute, or look into the worker's log",
            Self::Busy => "wait for a job on it to end",
            Self::WorkerFull(_) => "wait for a job on the worker to end, or give the worker more room",
            Self::Seats { needed, of, .. } if needed > of => "tell the lab of more seats, or ask for fewer",
            Self::Seats { .. } => "wait for a job that has a seat to end",
            Self::SetAside => "wait for the job that it is kept for",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice { device_type } => write!(f, "the lab has no device of type {device_type}"),
            Self::NotTheOneNamed => f.write_str("not the device or worker that the job names"),
            Self::MissingTags(tags) => write!(f, "lacks the tags {}", tags.join(", ")),
            Self::MissingModels(models) => write!(f, "its worker does not have {}", models.join(", ")),
            Self::NotPermitted => f.write_str("the submitter may not use it"),
            Self::Health(health) => write!(f, "its health is {}", health.as_str()),
            Self::HealthCheck => f.write_str("a health check comes first"),
            Self::NoWorker => f.write_str("has no worker"),
            Self::WorkerOffline(worker) => write!(f, "worker {worker} is offline"),
            Self::WorkerHealth(worker, health) => {
                write!(f, "worker {worker} is in state {}", health.as_str())
            }
            Self::WorkerNotReady(worker, reason) => write!(f, "worker {worker} takes no job: {reason}"),
            Self::HandedBack(worker) => write!(f, "worker {worker} has just handed this job back"),
            Self::Busy => f.write_str("in use"),
            Self::WorkerFull(worker) => {
                write!(f, "worker {worker} has not enough cores, memory or places left")
            }
            Self::Seats { licence, needed, of } if needed > of => {
                write!(f, "needs {needed} seats of licence {licence}, and the lab has {of}")
            }
            Self::Seats { licence, needed, .. } => write!(f, "waits for {needed} seats of licence {licence}"),
            Self::SetAside => {
                f.write_str("kept for a job that has waited longer, or not enough for the whole group")
            }
        }
    }
}

impl Lab {
    /// What `id` waits for; `None` when it does not wait.
    pub fn why(&self, id: JobId) -> Option<Why> {
        let job = self.job(id).filter(|job| job.state == JobState::Submitted)?;
        let mut counts: BTreeMap<Obstacle, usize> = BTreeMap::new();
        let room = Room::free(self);
        for (licence, needed) in &job.request.licences {
            if room.seats.get(licence.as_str()).is_some_and(|free| *free < i64::from(*needed)) {
                let of = self.licences().get(licence).copied().unwrap_or(0);
                counts.insert(Obstacle::Seats { licence: licence.clone(), needed: *needed, of }, 1);
            }
        }
        let device_type = &job.request.device_type;
        let mut any = false;
        for device in self.devices_of_type(device_type) {
            any = true;
            *counts.entry(self.obstacle(&room, job, device)).or_default() += 1;
        }
        if !any {
            counts.insert(Obstacle::NoDevice { device_type: device_type.clone() }, 1);
        }
        Some(Why { ahead: self.ahead(job), obstacles: counts.into_iter().collect() })
    }

    fn obstacle(&self, room: &Room<'_>, job: &Job, device: &crate::Device) -> Obstacle {
        let request = &job.request;
        let is_check = request.kind == JobKind::HealthCheck;
        let named = request.device.as_ref().is_none_or(|name| *name == device.name)
            && request.worker.as_ref().is_none_or(|name| device.worker.as_ref() == Some(name));
        if !named {
            return Obstacle::NotTheOneNamed;
        }
        let missing: Vec<_> = request.tags.difference(&device.tags).cloned().collect();
        if !missing.is_empty() {
            return Obstacle::MissingTags(missing);
        }
        let missing = self.lacks_models(job, device.worker.as_ref());
        if !missing.is_empty() && device.worker.is_some() {
            return Obstacle::MissingModels(missing);
        }
        if !is_check && !device.access.allows(&request.submitter) {
            return Obstacle::NotPermitted;
        }
        if !(device.health.takes_jobs() || is_check && device.health.takes_checks()) {
            return Obstacle::Health(device.health);
        }
        let Some(worker) = device.worker.as_ref().and_then(|name| self.worker(name)) else {
            return Obstacle::NoWorker;
        };
        let name = worker.facts.name.to_string();
        if worker.state == WorkerState::Offline {
            return Obstacle::WorkerOffline(name);
        }
        if worker.facts.health != WorkerHealth::Active {
            return Obstacle::WorkerHealth(name, worker.facts.health);
        }
        if let Some(reason) = &worker.not_ready {
            return Obstacle::WorkerNotReady(name, reason.clone());
        }
        if self.avoids(job, Some(&worker.facts.name)) {
            return Obstacle::HandedBack(name);
        }
        if self.jobs_on(&device.name) >= device.slots {
            return Obstacle::Busy;
        }
        if !is_check && self.is_being_checked(&device.name) {
            return Obstacle::HealthCheck;
        }
        if !room.worker_fits(job, &worker.facts.name) {
            return Obstacle::WorkerFull(name);
        }
        Obstacle::SetAside
    }

    fn ahead(&self, job: &Job) -> usize {
        let rank = |entry: &crate::queue::Entry, id: JobId| {
            (std::cmp::Reverse(Queue::level(entry)), entry.submitted, id)
        };
        let own = self.queue().iter().find(|(_, entry)| entry.jobs.contains(&job.id()));
        let Some(own) = own.map(|(id, entry)| rank(entry, id)) else { return 0 };
        let wants = |entry: &crate::queue::Entry| Queue::types(entry).contains(&job.request.device_type);
        self.queue().iter().filter(|(id, entry)| wants(entry) && rank(entry, *id) < own).count()
    }
}

//! Jobs that have not ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pumice_api::worker::{Fence, JobRef};
use pumice_types::{DeviceName, JobId, JobState, WorkerName};
use serde::{Deserialize, Serialize};

use crate::{Size, Time};

/// LAVA's highest priority (lava-compat 1.1: `high`).
pub const HIGHEST_PRIORITY: i32 = 100;

/// What a job asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// Its number.
    pub id: JobId,
    /// Who submitted it.
    pub submitter: String,
    /// When.
    pub submitted: Time,
    /// 0 to 100; more is sooner.
    pub priority: i32,
    /// The device type it needs.
    pub device_type: String,
    /// The device it must have, where it names one.
    pub device: Option<DeviceName>,
    /// The worker it must run on, where it names one.
    pub worker: Option<WorkerName>,
    /// Tags that its device must have.
    pub tags: BTreeSet<String>,
    /// Models that its worker must have.
    #[serde(default)]
    pub models: BTreeSet<String>,
    /// Seats it takes of the lab's licences. One that the lab does not count is free.
    pub licences: BTreeMap<String, u32>,
    /// What it takes of its worker.
    pub size: Size,
    /// For how long it may wait in the queue.
    pub queue_timeout: Option<Duration>,
    /// How often it is given again when it was lost with its worker; `None` for what the lab says.
    pub repeats: Option<u32>,
    /// What it is: it decides over health and order.
    pub kind: JobKind,
}

impl JobRequest {
    /// A job of medium priority with no wishes.
    pub fn new(
        id: JobId,
        submitter: impl Into<String>,
        submitted: Time,
        device_type: impl Into<String>,
    ) -> Self {
        Self {
            id,
            submitter: submitter.into(),
            submitted,
            priority: 50,
            device_type: device_type.into(),
            device: None,
            worker: None,
            tags: BTreeSet::new(),
            models: BTreeSet::new(),
            licences: BTreeMap::new(),
            size: Size::default(),
            queue_timeout: None,
            repeats: None,
            kind: JobKind::Single,
        }
    }

    /// Its place in a group, if it has one.
    pub fn member(&self) -> Option<&Member> {
        match &self.kind {
            JobKind::Member(member) => Some(member),
            JobKind::Single | JobKind::HealthCheck => None,
        }
    }
}

/// What a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// A job of its own.
    Single,
    /// A health check of the device it names.
    HealthCheck,
    /// Part of a MultiNode job.
    Member(Member),
}

/// A job's place in its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The group's name (LAVA's `target_group`).
    pub group: String,
    /// Whether its failure, or its cancelling, ends the others (lava-compat 5.2).
    pub essential: bool,
    /// The member on whose worker it runs, with no device of its own: LAVA's dynamic connections
    /// (lava-compat 5.1).
    pub beside: Option<JobId>,
}

/// A job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it asks for.
    pub request: JobRequest,
    /// Where it stands; never finished.
    pub state: JobState,
    /// The number of its last giving; 0 when it was never given.
    pub fence: Fence,
    /// Where it is, from the moment it was given to a worker until that worker cannot run it any more.
    pub given: Option<Giving>,
    /// How often it was lost with its worker.
    pub losses: u32,
    /// How often it was handed back.
    pub returns: u32,
    /// The worker that handed it back last, and until when it is not given there.
    pub avoid: Option<(WorkerName, Time)>,
}

impl Job {
    /// A job that waits.
    pub fn queued(request: JobRequest) -> Self {
        Self {
            request,
            state: JobState::Submitted,
            fence: Fence(0),
            given: None,
            losses: 0,
            returns: 0,
            avoid: None,
        }
    }

    /// Its number.
    pub fn id(&self) -> JobId {
        self.request.id
    }

    /// Its present giving.
    pub fn job_ref(&self) -> JobRef {
        JobRef { job: self.request.id, fence: self.fence }
    }
}

/// A job's being lent to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Giving {
    /// The worker.
    pub worker: WorkerName,
    /// The device; `None` for a job beside another.
    pub device: Option<DeviceName>,
    /// When it was given.
    pub since: Time,
    /// Until when it is lent.
    pub lease_until: Time,
    /// Whether the worker has said that it has it.
    pub acknowledged: bool,
    /// When its process started.
    pub started: Option<Time>,
}

//! Device types and devices.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pumice_types::{DeviceName, WorkerName};
use serde::{Deserialize, Serialize};

use crate::Time;

/// A device's condition (lava-compat 6.1). It is set by people, by health checks, and by failures that are
/// not the job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeviceHealth {
    /// Works.
    Good,
    /// Nobody knows: a health check comes first, where the type has one.
    Unknown,
    /// Health checks run on it one after the other, and nothing else.
    Looping,
    /// A health check failed.
    Bad,
    /// A person works on it.
    Maintenance,
    /// Out of the lab.
    Retired,
}

impl DeviceHealth {
    /// LAVA's name, which is also shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "Good",
            Self::Unknown => "Unknown",
            Self::Looping => "Looping",
            Self::Bad => "Bad",
            Self::Maintenance => "Maintenance",
            Self::Retired => "Retired",
        }
    }

    /// Whether jobs of people may run (lava-compat 6.2).
    pub fn takes_jobs(self) -> bool {
        matches!(self, Self::Good | Self::Unknown)
    }

    /// Whether health checks may run (lava-compat 6.2).
    pub fn takes_checks(self) -> bool {
        matches!(self, Self::Good | Self::Unknown | Self::Looping)
    }
}

/// What a device is doing (lava-compat 6.1). It follows from the jobs it was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeviceState {
    /// Nothing.
    Idle,
    /// Given to a job that has not started.
    Reserved,
    /// A job runs on it.
    Running,
}

impl DeviceState {
    /// LAVA's name, which is also shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Reserved => "Reserved",
            Self::Running => "Running",
        }
    }
}

/// Who may submit to a device: the server's permissions (lava-compat 7.1), worked out for the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Everybody.
    #[default]
    Open,
    /// These.
    Only(BTreeSet<String>),
}

impl Access {
    /// Whether `submitter` may.
    pub fn allows(&self, submitter: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Only(users) => users.contains(submitter),
        }
    }
}

/// How often a device is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckEvery {
    /// When the last check was submitted this long ago.
    Period(Duration),
    /// After so many jobs.
    Jobs(u32),
}

/// What the scheduler knows of a device type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceType {
    /// When its devices are checked; `None` when there is no health check or it is switched off.
    pub check: Option<CheckEvery>,
}

/// A device as the operator, or the worker that offered it, describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub name: DeviceName,
    /// Its type.
    pub device_type: String,
    /// The worker that hosts it.
    pub worker: Option<WorkerName>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// How many jobs may use it at once: a virtual device can be made more than once.
    pub slots: u32,
    /// Who may submit to it.
    pub access: Access,
    /// Its condition.
    pub health: DeviceHealth,
    /// When its last health check was submitted.
    pub last_check: Option<Time>,
    /// How many jobs ended on it since.
    pub jobs_since_check: u32,
}

impl Device {
    /// A good device that everybody may use, for one job at a time.
    pub fn new(name: impl Into<DeviceName>, device_type: impl Into<String>, worker: WorkerName) -> Self {
        Self {
            name: name.into(),
            device_type: device_type.into(),
            worker: Some(worker),
            tags: BTreeSet::new(),
            slots: 1,
            access: Access::Open,
            health: DeviceHealth::Good,
            last_check: None,
            jobs_since_check: 0,
        }
    }

    /// Whether a health check is due at `now` (lava-compat 6.2).
    pub fn check_is_due(&self, types: &BTreeMap<String, DeviceType>, now: Time) -> bool {
        let Some(every) = types.get(&self.device_type).and_then(|device_type| device_type.check) else {
            return false;
        };
        match self.health {
            DeviceHealth::Unknown | DeviceHealth::Looping => true,
            DeviceHealth::Good => match (self.last_check, every) {
                (None, _) => true,
                (Some(last), CheckEvery::Period(period)) => now >= last + period,
                (Some(_), CheckEvery::Jobs(jobs)) => self.jobs_since_check >= jobs,
            },
            DeviceHealth::Bad | DeviceHealth::Maintenance | DeviceHealth::Retired => false,
        }
    }
}

//! Workers.

use std::collections::BTreeSet;

use pumice_api::worker::Epoch;
use pumice_types::WorkerName;
use serde::{Deserialize, Serialize};

use crate::Time;

/// What people decided about a worker (lava-compat 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WorkerHealth {
    /// It takes jobs.
    Active,
    /// It finishes what it has and takes nothing new.
    Maintenance,
    /// Out of the lab.
    Retired,
}

impl WorkerHealth {
    /// LAVA's name, which is also shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Maintenance => "Maintenance",
            Self::Retired => "Retired",
        }
    }
}

/// Whether a worker is there (lava-compat 6.1). It follows from when it was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WorkerState {
    /// It is.
    Online,
    /// It is not.
    Offline,
}

impl WorkerState {
    /// LAVA's name, which is also shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Offline => "Offline",
        }
    }
}

/// Cores and memory: what a worker has or a job takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size {
    /// Processor cores.
    pub cores: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// Whether a worker ends its jobs by itself when it is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Leasing {
    /// It does: its jobs may be given away after their lease.
    #[default]
    Leased,
    /// It does not, as LAVA's worker: its jobs stay its own until it, or an operator, says otherwise.
    Unbounded,
}

/// What the operator and the worker itself say of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFacts {
    /// Its name.
    pub name: WorkerName,
    /// What people decided.
    pub health: WorkerHealth,
    /// What it offers to jobs; `None` when it does not say, and only slots and `job_limit` count.
    pub capacity: Option<Size>,
    /// The models it has.
    #[serde(default)]
    pub models: BTreeSet<String>,
    /// How many jobs it takes at once; `None` for as many as fit.
    pub job_limit: Option<u32>,
    /// Whether it keeps leases.
    pub leasing: Leasing,
}

impl WorkerFacts {
    /// An active worker with no limits.
    pub fn new(name: impl Into<WorkerName>) -> Self {
        Self {
            name: name.into(),
            health: WorkerHealth::Active,
            capacity: None,
            models: BTreeSet::new(),
            job_limit: None,
            leasing: Leasing::Leased,
        }
    }
}

/// A worker and what was heard of it.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What is said of it.
    pub facts: WorkerFacts,
    /// Its session's number; kept over restarts of the server, so that it never repeats.
    pub epoch: Epoch,
    /// The text that names its session.
    pub(crate) session: String,
    /// The sequence of its last poll.
    pub(crate) sequence: u64,
    /// When it was last heard of; `None` when never since the server started.
    pub last_seen: Option<Time>,
    /// Whether it is there.
    pub state: WorkerState,
    /// Why it takes no new job.
    pub not_ready: Option<String>,
}

impl Worker {
    /// A worker not heard of yet.
    pub(crate) fn new(facts: WorkerFacts, epoch: Epoch) -> Self {
        Self {
            facts,
            epoch,
            session: String::new(),
            sequence: 0,
            last_seen: None,
            state: WorkerState::Offline,
            not_ready: None,
        }
    }

    /// Whether it may be given a job now.
    pub fn takes_jobs(&self) -> bool {
        self.state == WorkerState::Online
            && self.facts.health == WorkerHealth::Active
            && self.not_ready.is_none()
    }
}

//! What was decided at once and is written at once.

use std::collections::HashMap;

use pumice_db::JobEnd;
use pumice_sched::{Action, Lab, Time};
use pumice_types::{DeviceName, JobId};

/// Decisions, with what is to be written of them. It refers to nothing in the lab, which goes on while it is written.
#[derive(Default)]
pub(super) struct Round {
    pub(super) actions: Vec<Action>,
    /// What is known of ends beside their verdicts.
    pub(super) ends: HashMap<JobId, JobEnd>,
    /// How often jobs that wait again were lost and handed back.
    pub(super) tries: HashMap<JobId, (u32, u32)>,
    /// When devices were checked last, and how many jobs they have had since.
    pub(super) checks: HashMap<DeviceName, (Option<Time>, u32)>,
}

impl Round {
    /// Adds what one event led to; `lab` is as that event left it.
    pub(super) fn add(&mut self, actions: &[Action], lab: &Lab) {
        for action in actions {
            match action {
                Action::Requeue { job, .. } => {
                    let known = lab.job(*job);
                    self.tries.insert(*job, known.map_or((0, 0), |job| (job.losses, job.returns)));
                }
                Action::RecordCheck { device } => {
                    if let Some(known) = lab.device(device) {
                        self.checks.insert(device.clone(), (known.last_check, known.jobs_since_check));
                    }
                }
                _ => {}
            }
        }
        self.actions.extend(actions.iter().cloned());
    }
}

//! A worker of an existing LAVA server: LAVA's worker protocol from the worker's side (lava-compat 6.3, 6.4, 6.5a, 3.6).
//!
//! Where LAVA's own worker is known to be weak it does better: a job that runs is taken up again after a restart, a job that the
//! server believes to run and that is not there is reported lost and not started a second time (lava-compat 9, row 23), and
//! the server's version is asked for instead of having to be the same.

mod agent;
mod follow;
mod lines;
mod task;

pub use agent::{LavaAgent, LavaConfig, LavaStop};
pub use follow::FollowedLog;

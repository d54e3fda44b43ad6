//! The agent on a machine that hosts models: lease, one process a job, ship, reap.
//!
//! ```text
//!            polls, pieces, finish                 one thread a job
//!  server ◀───────────────────────── agent ──────────────────────────▶ STATE/jobs/ID-FENCE/
//!                                      │ starts, signals                  ▲          ▲
//!                                      └──────────▶ keeper ───────────────┘ lease    │ log, files, outcome
//!                                                     └── job's process ─────────────┘
//! ```
//!
//! * [`Agent`] speaks `docs/protocol/worker.md` with our server; [`LavaAgent`] LAVA's worker protocol with LAVA's. Both
//!   may be killed at any moment and started again: what they know is in the jobs' directories.
//! * A **keeper** ([`keeper_main`]) is a small process beside each job. It starts the job's process, holds its lease, climbs the
//!   ladder when it is cancelled, and writes down how it ended, whether or not an agent is there. When the lease is over, or
//!   the keeper dies, everything the job started dies.
//! * The job's directory is the seam to the job's process: `docs/protocol/job-directory.md`.
//!
//! Deadlines are kept on a clock that counts the host's sleep and never jumps ([`clock`](crate)).

mod agent;
mod clock;
mod config;
mod job;
mod keeper;
mod lava;
mod signal;
mod space;

pub use agent::{Agent, AgentError, Stop, StopMode, worker_token};
pub use config::{JobProgram, KeeperProgram, WorkerConfig};
pub use keeper::keeper_main;
pub use lava::{FollowedLog, LavaAgent, LavaConfig, LavaStop};

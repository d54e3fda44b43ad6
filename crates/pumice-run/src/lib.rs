//! Runs a plan: steps, scopes, deadlines, retries, teardown.
//!
//! A block is a struct of typed inputs that the plan made; running it is one async function that hands its
//! result to the next block. [`StepCx::step`] is the only framework: it says that a step starts and ends, narrows
//! its deadline and records its result. Only here are errors turned into a verdict.

mod boot;
mod command;
mod console_log;
mod container;
mod control;
mod cx;
mod deploy;
pub mod files;
mod host;
mod licence;
mod patterns;
mod peers;
mod report;
mod runner;
mod test;

pub use container::Containers;
pub use control::{Hands, Listening};
pub use cx::{Cancel, Canceller, StepCx};
pub use deploy::{BuiltOverlay, Deployed};
pub use host::RunHost;
pub use licence::{LicenceStock, Licences};
pub use patterns::check_patterns;
pub use peers::{Coordinator, Left, Peers};
pub use report::{Progress, Reporter, Sink};
pub use runner::{Outcome, Runner};

//! The agent of our own server: `docs/protocol/worker.md` from the worker's side.

mod channel;
mod main_loop;
mod poller;
mod relay;
mod ship;
mod task;
mod token;

pub use main_loop::{Agent, AgentError, Stop, StopMode};
pub use token::worker_token;

//! End-to-end tests: the real program, real simulators, real guests.
//!
//! What a test needs it asks for with [`need!`], which skips the test and says why where the machine has it
//! not. A [`Sandbox`] is a test's own directory, home and caches; the processes started in it can be told
//! from all others, so that a test can say that none is left.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a harness fails its test, and says why it skips one"
)]

mod engine;
mod enter;
mod guest;
mod job;
mod lava_server;
mod need;
mod network;
mod process;
mod programs;
mod repository;
mod results;
mod sandbox;
mod shell_machine;
mod small_disk;
mod ssh_server;

pub use engine::ContainerEngine;
pub use guest::Guest;
pub use job::Job;
pub use lava_server::LavaServer;
pub use need::{Missing, program, python_program, skip_or_fail};
pub use network::Network;
pub use process::Process;
pub use programs::built;
pub use repository::git_repository;
pub use results::Results;
pub use rustix::process::Signal;
pub use sandbox::{Finished, Running, Sandbox};
pub use shell_machine::ShellMachine;
pub use small_disk::SmallDisk;
pub use ssh_server::SshServer;

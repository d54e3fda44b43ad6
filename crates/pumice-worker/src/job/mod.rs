//! One job on this host: its directory, its keeper's process, its way to the server.

mod control;
mod directory;
mod environment;
mod outcome;
mod process;
mod start;
mod stop;
mod wait;

pub(crate) use control::Control;
pub(crate) use directory::{
    Cancel, Directory, Exit, ExitReason, JobDirError, KeeperRecord, Lease, StartRecord, read_json, write_json,
};
pub(crate) use environment::environment;
pub(crate) use outcome::{job_result, outcome};
pub(crate) use process::Keeper;
pub(crate) use start::{Texts, prepare, start_keeper};
pub(crate) use stop::{destroy, tell_to_cancel};
pub(crate) use wait::Wait;

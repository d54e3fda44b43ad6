//! Ending a job that runs.

use std::time::{Duration, Instant};

use pumice_types::Blame as _;

use super::{Cancel, Control, Directory, Keeper, Wait, write_json};

/// How long a keeper has to kill its job before it is killed itself.
const KEEPER_TIME: Duration = Duration::from_secs(15);

/// Has the keeper cancel its job, and kill it after `kill_after`.
pub(crate) fn tell_to_cancel(directory: &Directory, keeper: &Keeper, kill_after: Duration) {
    let kill_after_ms = u64::try_from(kill_after.as_millis()).unwrap_or(u64::MAX);
    if let Err(error) = write_json(&directory.file("cancel.json"), &Cancel { kill_after_ms }) {
        tracing::error!("a cancelled job has the usual time to end: {}", error.failure());
    }
    keeper.cancel();
}

/// Kills a job with its keeper, and returns when both are gone.
pub(crate) fn destroy(directory: &Directory, keeper: &mut Keeper, control: &Control) {
    keeper.kill_job();
    let wait = Wait::new(directory);
    let began = Instant::now();
    while !wait.until(Some(keeper), &control.bell, false, Duration::from_secs(1)).ended {
        if began.elapsed() > KEEPER_TIME {
            keeper.kill();
        }
    }
    keeper.collect();
}

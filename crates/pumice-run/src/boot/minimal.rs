//! Boots the machine of an earlier block again, in place: the files it was started with are those it has.

use pumice_plan::boot::{Boot, BootKind};
use pumice_platform::MonitorError;
use pumice_types::{Cause, Failure, Fault};

use super::Booted;
use crate::{cx::StepCx, deploy::unplanned};

/// Resets it, where the job does not say otherwise.
pub(crate) async fn run(plan: &Boot, booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    let BootKind::Minimal { instance } = &plan.kind else { return Err(unplanned(&plan.scope.name)) };
    if !instance.reset {
        return Ok(());
    }
    reset(booted, cx).await
}

/// Resets the machine. What it said before is not read as what it says afterwards.
pub(crate) async fn reset(booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    booted.console.skip();
    booted.machine.reset().await.map_err(|error| failure_of(&error))?;
    booted.prompts = None;
    cx.report().info("the machine was reset");
    Ok(())
}

fn failure_of(error: &MonitorError) -> Failure {
    let message = format!("the machine cannot be reset: {error}");
    match error {
        MonitorError::Unable(_) => Failure::new(Cause::DeviceInvalid, message)
            .blame(Fault::Job)
            .hint("boot it in a block of its own instead: that starts it anew"),
        _ => Failure::new(Cause::SimulatorHung, message),
    }
}

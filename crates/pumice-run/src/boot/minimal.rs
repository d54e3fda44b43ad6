//! Boots the machine of an earlier block again, in place: the files it was started with are those it has.

use pumice_job::MinimalBoot;
use pumice_platform::MonitorError;
use pumice_types::{Cause, Failure, Fault};

use super::Booted;
use crate::{command::run_on_host, cx::StepCx, host::RunHost};

/// Resets it, where the job does not say otherwise, between the commands that the operator has for before and after.
pub(super) async fn run(
    instance: &MinimalBoot,
    [pre_power, pre_os]: [&[Vec<String>]; 2],
    booted: &mut Booted,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    for argv in pre_power {
        run_on_host("pre_power_command", argv, host, cx).await?;
    }
    if instance.reset {
        reset(booted, cx).await?;
    }
    for argv in pre_os {
        run_on_host("pre_os_command", argv, host, cx).await?;
    }
    Ok(())
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

//! Runs an installer to its end: when it is done it restarts the machine, which ends it.

use std::time::Duration;

use pumice_console::Patterns;
use pumice_plan::boot::Install;
use pumice_platform::{Ended, InstallStage};
use pumice_types::{Blame as _, Cause, Failure, Fault};
use serde_json::json;

use super::{Booted, start::Starter, stop};
use crate::cx::StepCx;

/// How long the simulator may take to be gone once its console is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs it.
pub(super) async fn run(plan: &Install, starter: &Starter<'_>, cx: &StepCx) -> Result<(), Failure> {
    let mut booted = cx
        .step(&plan.start, Cause::SimulatorHung, async |cx| {
            starter.start(InstallStage::Installing, &plan.start, None, cx).await
        })
        .await?;
    let ended = cx
        .step(&plan.end, Cause::StepTimeout, async |cx| {
            wait(&mut booted, cx).await?;
            cx.record(json!({ "success": "the installer ended" }));
            Ok(())
        })
        .await;
    stop(booted, cx).await?;
    ended
}

/// Waits for the end of the machine; a kernel that gives up, a silence that is too long and the time end the wait.
async fn wait(booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    // Waits for nothing: only what ends every wait comes through.
    let nothing = Patterns::new([]).map_err(|error| Failure::new(Cause::Bug, error.to_string()))?;
    let ended = tokio::select! {
        biased;
        ended = booted.machine.wait() => Some(ended),
        heard = booted.console.expect(&nothing, cx.deadline()) => match heard {
            Ok(_) => None,
            Err(error) => match error.failure() {
                failure if failure.cause == Cause::ConsoleLost => None,
                failure if failure.cause == Cause::NoPrompt => {
                    let (owner, limit) = (cx.deadline().owner(), cx.deadline().limit());
                    let late = Failure::timed_out(Cause::StepTimeout, owner, limit, "the installer to end");
                    return Err(late.evidence(booted.console.name(), booted.console.tail(800)));
                }
                failure => return Err(failure),
            },
        },
        failure = booted.silence.exceeded() => return Err(failure),
    };
    // The console closes a moment before the program is gone.
    let ended = match ended {
        Some(ended) => Some(ended),
        None => tokio::time::timeout(PATIENCE, booted.machine.wait()).await.ok(),
    };
    match ended {
        Some(Ended::PoweredOff) => Ok(()),
        Some(Ended::Exited(exit)) if exit.status.is_success() => Ok(()),
        _ => {
            let lost = || {
                let message = "the installer's console closed before it came to its end";
                Failure::new(Cause::ConsoleLost, message).blame(Fault::Infrastructure)
            };
            Err(booted.machine.failure().unwrap_or_else(lost))
        }
    }
}

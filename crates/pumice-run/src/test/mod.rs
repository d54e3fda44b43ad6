//! Test blocks: run tests on a booted machine.

mod commands;
pub(crate) mod container;
#[cfg(test)]
mod harness;
mod interactive;
mod limit;
mod monitor;
mod output;
pub(crate) mod services;
mod shell;
mod talk;

use pumice_console::Console;
use pumice_guest::session::PlannedRun;
use pumice_plan::test::{Test, TestKind};
use pumice_types::{Cause, Failure, JobId};

use crate::{boot::Booted, cx::StepCx, deploy::unplanned};

/// What a test block needs to know of its namespace.
pub(crate) struct TestFacts<'a> {
    /// The job.
    pub(crate) job: JobId,
    /// The overlay's directory in the guest.
    pub(crate) directory: &'a str,
    /// The runs of each stage.
    pub(crate) stages: &'a [Vec<PlannedRun>],
    /// Whether nothing follows, so that nobody needs the guest's shell again.
    pub(crate) is_last: bool,
}

/// Runs a test block.
pub(crate) async fn run(
    plan: &Test,
    booted: &mut Booted,
    facts: &TestFacts<'_>,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step_with_tries(&plan.scope, Cause::TestTimeout, async |cx| {
        cx.step(&plan.run, Cause::TestTimeout, async |cx| match &plan.kind {
            TestKind::Shell { stage, limits, .. } => shell::run(*stage, limits, booted, facts, cx).await,
            TestKind::Monitors { monitors } => {
                listening(booted, async |console| monitor::run(monitors, console, cx).await).await
            }
            TestKind::Interactive { scripts, stage } => {
                let block = interactive::Block { scripts, stage: *stage, scope: &plan.run };
                let known = interactive::Substitutions::from([
                    ("JOB_ID".to_owned(), facts.job.to_string()),
                    ("SERVER_IP".to_owned(), booted.host.seen.to_string()),
                ]);
                listening(booted, async |console| interactive::run(&block, known, console, cx).await).await
            }
            TestKind::Commands { commands } => commands::run(commands, booted, cx).await,
            // They need no machine.
            TestKind::Container { .. } | TestKind::Services { .. } => Err(unplanned(&plan.run.name)),
        })
        .await
    })
    .await
}

/// Works with the console alone. What a kernel complains of is the test's own business there.
async fn listening(
    booted: &mut Booted,
    work: impl AsyncFnOnce(&mut Console) -> Result<(), Failure>,
) -> Result<(), Failure> {
    booted.console.mind_fatal_watches(false);
    let outcome = booted.with_console(work).await;
    booted.console.mind_fatal_watches(booted.minds_kernel);
    match outcome {
        Ok(()) => Ok(()),
        Err(failure) => Err(booted.explained(failure).await),
    }
}

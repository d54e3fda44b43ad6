//! Test blocks: run tests on a booted machine.

mod shell;

use pumice_guest::session::PlannedRun;
use pumice_plan::test::{Test, TestKind};
use pumice_types::{Cause, Failure};

use crate::{boot::Booted, cx::StepCx};

/// What a test block needs to know of its namespace.
pub(crate) struct TestFacts<'a> {
    /// The overlay's directory in the guest.
    pub(crate) directory: &'a str,
    /// The runs of each stage.
    pub(crate) stages: &'a [Vec<PlannedRun>],
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
            TestKind::Shell { stage, .. } => shell::run(*stage, booted, facts, cx).await,
            TestKind::Container { .. } => Err(not_yet("a test in a container")),
            TestKind::Monitors { .. } => Err(not_yet("`monitors`")),
            TestKind::Interactive { .. } => Err(not_yet("`interactive`")),
            TestKind::Services { .. } => Err(not_yet("`services`")),
            TestKind::Commands { .. } => Err(not_yet("`commands`")),
        })
        .await
    })
    .await
}

/// What a later version will do.
fn not_yet(what: &str) -> Failure {
    Failure::new(Cause::InvalidDefinition, format!("{what} is not supported yet"))
}

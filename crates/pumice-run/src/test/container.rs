//! Runs test definitions in a container beside the machine (lava-compat 4.6): a driver of the tests that reaches the
//! machine from outside.

use pumice_plan::test::{Test, TestKind};
use pumice_types::{Cause, Failure, JobId};

use super::{TestFacts, shell};
use crate::{
    boot::{self, BootFacts, container::Shell},
    container::{bring_image, plain, words},
    cx::StepCx,
    deploy::{BuiltOverlay, Downloads, unplanned},
    host::RunHost,
};

/// The prompt of the container's shell. No `$` or `#` alone, which tests print.
const PROMPT: &str = "docker-test-shell:$ ";

/// [`PROMPT`] as a pattern.
const PROMPT_PATTERN: &str = r"docker-test-shell:\$ ";

/// What a block needs to know of its namespace.
pub(crate) struct Block<'a> {
    /// The job.
    pub(crate) job: JobId,
    /// The overlay's directory.
    pub(crate) directory: &'a str,
    /// The overlay.
    pub(crate) overlay: Option<&'a BuiltOverlay>,
    /// The files of `to: downloads`.
    pub(crate) downloads: &'a Downloads,
}

/// Runs a test block, each try in a container of its own.
pub(crate) async fn run(
    plan: &Test,
    block: &Block<'_>,
    host: &RunHost,
    facts: &BootFacts,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step_with_tries(&plan.scope, Cause::TestTimeout, async |cx| {
        cx.step(&plan.run, Cause::TestTimeout, async |cx| once(plan, block, host, facts, cx).await).await
    })
    .await
}

async fn once(
    plan: &Test,
    block: &Block<'_>,
    host: &RunHost,
    facts: &BootFacts,
    cx: &StepCx,
) -> Result<(), Failure> {
    let TestKind::Container { stage, limits, container: wanted, .. } = &plan.kind else {
        return Err(unplanned(&plan.run.name));
    };
    let Some(overlay) = block.overlay else { return Err(unplanned(&plan.run.name)) };
    let mut engine = (*host.containers.engine(None, host, cx).await?).clone();
    bring_image(&engine, &wanted.container.container, host, cx).await?;
    engine.call.arguments.extend(wanted.global_options.iter().flat_map(|text| words(text)));
    let mut variables = vec![("PS1".to_owned(), PROMPT.to_owned())];
    variables.extend(wanted.environment.iter().cloned());
    let own = wanted.container.downloads_namespace.as_ref().map(|name| name.value.as_str());
    let here = block.downloads.directory(&plan.scope.namespace).is_some();
    let container = plain(&wanted.container.container, &wanted.options);
    // Any shell will do: the tests bring their own.
    let command = ["sh", "-i"].map(str::to_owned);
    let shell = Shell {
        command: &command,
        container: &container,
        environment: &variables,
        mounts: host.containers.test_mounts(),
        overlay: Some(overlay),
        downloads: own.or_else(|| here.then_some(plan.scope.namespace.as_str())),
        namespace: "docker-test-shell",
    };
    let mut booted = boot::container::start(shell, &engine, block.downloads, host, facts, cx).await?;
    booted.prompts = Some(boot::patterns([PROMPT_PATTERN])?);
    let test_facts =
        TestFacts { job: block.job, directory: block.directory, stages: &overlay.stages, is_last: false };
    let outcome = match boot::expect_prompt(&mut booted, cx).await {
        Ok(()) => shell::run(*stage, limits, &mut booted, &test_facts, cx).await,
        Err(failure) => Err(booted.explained(failure).await),
    };
    let stopped = boot::stop(booted, cx).await;
    outcome.and(stopped)
}

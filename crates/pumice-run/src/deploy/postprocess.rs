//! Steps that a job runs on its downloads, in a container (lava-compat 1.5, `postprocess`).
//!
//! Blame: a step that fails is the job's; an image or an engine is the infrastructure's.

use std::path::Path;

use pumice_job::Postprocess;
use pumice_plan::Scope;
use pumice_platform::container::{Mount, command};
use pumice_process::Status;
use pumice_types::{Cause, Failure};
use serde_json::json;

use crate::{
    container::{bring_image, call, noted, plain},
    cx::StepCx,
    host::RunHost,
};

/// Where the steps find the files, and the directory they start in.
const DIRECTORY: &str = "/lava-downloads";

/// The status of an engine's client that could not start the container (docker: "Exit status" of `run`).
const ENGINE_FAILED: Status = Status::Code(125);

/// Runs the steps one after the other in one shell; the first that fails ends them.
pub(crate) async fn run(
    plan: &Postprocess,
    scope: &Scope,
    directory: &Path,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(scope, Cause::StepTimeout, async |cx| {
        let engine = host.containers.engine(None, host, cx).await?;
        bring_image(&engine, &plan.container, host, cx).await?;
        let mut container = host.containers.container(&plain(&plan.container, &[]), host)?;
        std::fs::create_dir_all(directory).map_err(|error| super::cannot_make(directory, &error))?;
        container.mounts =
            vec![Mount { source: directory.to_owned(), target: DIRECTORY.into(), read_only: false }];
        container.directory = Some(DIRECTORY.into());
        let steps: Vec<_> = plan.steps.iter().map(|step| step.value.as_str()).collect();
        // The job's own lines, for the shell of the image: -e ends at the first that fails, -x shows each.
        let words = ["sh", "-e", "-x", "-c", &steps.join("\n")].map(str::to_owned);
        let command = command(&container, &engine.call, &words);
        cx.report().info(format!("running {} steps in container image {}", steps.len(), container.image));
        let output = noted(&engine.call, &container.name, host, call(command, host, cx)).await??;
        let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        texts.iter().flat_map(|text| text.lines()).for_each(|line| cx.report().debug(line));
        let status = output.exit.status;
        if status.is_success() {
            cx.record(json!({ "steps": steps.len() }));
            return Ok(());
        }
        let cause = if status == ENGINE_FAILED { Cause::ContainerFailed } else { Cause::CommandFailed };
        let message = format!("`postprocess` in container image {} failed: it {status}", container.image);
        Err(Failure::new(cause, message).evidence(engine.name, cx.report().masked(&texts[1])))
    })
    .await
}

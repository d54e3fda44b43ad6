//! Services beside the job: containers described by a file of a repository, started together (lava-compat 1.7).
//!
//! They live in their engine until a `command` block ends them, or the job does; a run that is killed leaves them to
//! its ledger.
//!
//! Blame: a repository without the file is the job's; an engine, an image and a service that does not start are the
//! infrastructure's.

use std::{fs, path::Path};

use pumice_job::DefinitionSource;
use pumice_plan::test::{ServicePlan, Test, TestKind};
use pumice_platform::container::{Compose, find_compose};
use pumice_process::Thing;
use pumice_types::{Blame as _, Cause, Failure};
use serde_json::json;

use crate::{
    container::call,
    cx::StepCx,
    deploy::{
        cannot_make,
        repository::{self, Repository},
        unplanned,
    },
    host::RunHost,
};

/// The services that run.
#[derive(Default)]
pub(crate) struct Services(Vec<Running>);

/// One that runs, or that may: it was asked for.
struct Running {
    name: String,
    compose: Compose,
    project: String,
    file: String,
    thing: Thing,
}

/// Starts the services of a block, one after the other.
pub(crate) async fn run(
    plan: &Test,
    running: &mut Services,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    let TestKind::Services { services } = &plan.kind else { return Err(unplanned(&plan.run.name)) };
    let earlier = running.0.len();
    cx.step_with_tries(&plan.scope, Cause::ContainerFailed, async |cx| {
        // Those of a try before are not those of this one.
        running.stop_beyond(earlier, host, cx).await?;
        cx.step(&plan.run, Cause::ContainerFailed, async |cx| {
            for service in services {
                start(service, running, host, cx).await?;
            }
            Ok(())
        })
        .await
    })
    .await
}

async fn start(
    plan: &ServicePlan,
    running: &mut Services,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    let name = &plan.service.name.value;
    let engine = host.containers.engine(None, host, cx).await?;
    let compose = find_compose(&host.host, &engine).await.map_err(|error| error.failure())?;
    let project = host.containers.name(None, host).to_lowercase();
    let directory = host.work_dir.join(format!("s{}", plan.start.level));
    cx.step(&plan.fetch, Cause::DownloadFailed, async |cx| fetch(plan, &directory, host, cx).await).await?;
    let file = composition(plan, &directory)?;
    cx.step(&plan.start, Cause::ContainerFailed, async |cx| {
        let thing = Thing::Composition {
            compose: compose.call.clone(),
            project: project.clone(),
            file: file.clone().into(),
        };
        host.guard.ledger().made(thing.clone()).map_err(|error| error.failure())?;
        let service = plan.service.service.as_ref().map(|service| service.value.as_str());
        let command = compose.up(&project, &file, service).directory(&directory);
        cx.report().info(format!("starting service {name}: {command}"));
        running.0.push(Running { name: name.clone(), compose: compose.clone(), project, file, thing });
        let output = call(command, host, cx).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().for_each(|line| cx.report().debug(line));
        if output.exit.status.is_success() {
            cx.record(json!({ "service": name }));
            return Ok(());
        }
        let message = format!("service `{name}` was not started: {} {}", compose.name, output.exit.status);
        Err(Failure::new(Cause::ContainerFailed, message).evidence(&compose.name, cx.report().masked(&said)))
    })
    .await
}

/// Has the files of a service in `directory`.
async fn fetch(plan: &ServicePlan, directory: &Path, host: &RunHost, cx: &StepCx) -> Result<(), Failure> {
    let source = repository::Source {
        from: &plan.service.from,
        label: &plan.service.name.value,
        archive: plan.archive.as_ref(),
    };
    let Repository { tree, commit, url } = repository::bring(&source, directory, host, cx).await?;
    if matches!(plan.service.from, DefinitionSource::Url { .. }) {
        if directory.exists() {
            fs::remove_dir_all(directory).map_err(|error| cannot_make(directory, &error))?;
        }
        tree.unpack(directory).map_err(|error| error.failure())?;
    }
    cx.record(json!({ "repository": url, "commit": commit }));
    Ok(())
}

/// The file that describes the services; it must be one of the repository's own.
fn composition(plan: &ServicePlan, directory: &Path) -> Result<String, Failure> {
    let wanted = &plan.service.path.value;
    let missing = || {
        let name = &plan.service.name.value;
        Failure::new(
            Cause::InvalidDefinition,
            format!("the repository of service `{name}` has no file `{wanted}`"),
        )
    };
    let path = directory.join(wanted.trim_start_matches("./").trim_start_matches('/'));
    let root = directory.canonicalize().map_err(|_| missing())?;
    let path = path.canonicalize().ok().filter(|path| path.is_file() && path.starts_with(&root));
    Ok(path.ok_or_else(missing)?.to_string_lossy().into_owned())
}

impl Services {
    /// Ends all of them, the last first, and says what they printed.
    pub(crate) async fn stop(&mut self, host: &RunHost, cx: &StepCx) -> Result<(), Failure> {
        self.stop_beyond(0, host, cx).await
    }

    /// Ends all but the first `kept`.
    async fn stop_beyond(&mut self, kept: usize, host: &RunHost, cx: &StepCx) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for running in self.0.drain(kept..).rev() {
            outcome = outcome.and(running.stop(host, cx).await);
        }
        outcome
    }
}

impl Running {
    async fn stop(self, host: &RunHost, cx: &StepCx) -> Result<(), Failure> {
        let Self { name, compose, project, file, thing } = self;
        // What they said only explains.
        if let Ok(output) = call(compose.logs(&project, &file), host, cx).await {
            String::from_utf8_lossy(&output.stdout).lines().for_each(|line| cx.report().debug(line));
        }
        cx.report().info(format!("ending service {name}"));
        let engine = compose.call;
        let removed =
            tokio::task::spawn_blocking(move || engine.remove_composition(&project, Path::new(&file))).await;
        let failed = |error: String| {
            Failure::new(Cause::ContainerFailed, format!("service `{name}` was not ended: {error}"))
        };
        match removed {
            Ok(Ok(())) => {
                drop(host.guard.ledger().gone(&thing));
                Ok(())
            }
            // It stays in the ledger: the end of the run asks again.
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

//! Boots that start a shell in a container (lava-compat 1.6, `docker`), and containers for whatever else runs in one.

use std::{path::Path, time::Duration};

use pumice_plan::{
    boot::{Boot, BootKind},
    container::ContainerPlan,
};
use pumice_platform::{
    ConsoleRole, ConsoleSource, Find, Launch, Stdio,
    container::{Container, Engine, Mount, enclosed},
};
use pumice_types::{Cause, Failure};
use serde_json::json;

use super::{BootFacts, Booted, patterns, start};
use crate::{
    container,
    cx::StepCx,
    deploy::{BuiltOverlay, Deployed, Downloads, on_thread, unplanned},
    host::RunHost,
};

/// Where a container sees the files of `to: downloads` (lava-compat 4.6).
const DOWNLOADS: &str = "/lava-downloads";

/// Runs a boot block: a shell in a container, in the place of a machine.
pub(super) async fn boot(
    plan: &Boot,
    deployed: &Deployed,
    downloads: &Downloads,
    host: &RunHost,
    facts: &BootFacts,
    cx: &StepCx,
) -> Result<Booted, Failure> {
    let BootKind::Container { command, container, downloads_namespace, prompts, scope } = &plan.kind else {
        return Err(unplanned(&plan.scope.name));
    };
    cx.step(scope, Cause::ContainerFailed, async |cx| {
        let engine = host.containers.engine(container.options.remote.as_deref(), host, cx).await?;
        let shell = Shell {
            command,
            container,
            environment: &[],
            mounts: Vec::new(),
            overlay: deployed.overlay.as_ref(),
            downloads: downloads_namespace.as_deref(),
            namespace: &plan.scope.namespace,
        };
        let mut booted = start(shell, &engine, downloads, host, facts, cx).await?;
        if !prompts.is_empty() {
            booted.prompts = Some(patterns(prompts.iter().map(|prompt| prompt.value.as_str()))?);
        }
        cx.record(json!(booted.machine.launch().extra));
        Ok(booted)
    })
    .await
}

/// A program that takes lines on a terminal.
pub(crate) struct Shell<'a> {
    /// Its words.
    pub(crate) command: &'a [String],
    /// The container it runs in.
    pub(crate) container: &'a ContainerPlan,
    /// Variables inside.
    pub(crate) environment: &'a [(String, String)],
    /// More that the container sees.
    pub(crate) mounts: Vec<Mount>,
    /// The tests' overlay, mounted at its place.
    pub(crate) overlay: Option<&'a BuiltOverlay>,
    /// The namespace whose downloads it sees.
    pub(crate) downloads: Option<&'a str>,
    /// The namespace it is of.
    pub(crate) namespace: &'a str,
}

/// Starts it. Its image is on this host already.
pub(crate) async fn start(
    shell: Shell<'_>,
    engine: &Engine,
    downloads: &Downloads,
    host: &RunHost,
    facts: &BootFacts,
    cx: &StepCx,
) -> Result<Booted, Failure> {
    let mut container = host.containers.container(shell.container, host)?;
    container.environment = shell.environment.iter().cloned().collect();
    container.mounts = shell.mounts;
    let work_dir = host.work_dir.join(format!("c{}", host.containers.count()));
    if let Some(overlay) = shell.overlay {
        container.mounts.push(mounted_overlay(overlay, &work_dir).await?);
    }
    container.mounts.extend(mounted_downloads(shell.downloads, downloads)?);
    let Some((program, arguments)) = shell.command.split_first() else {
        return Err(Failure::new(Cause::InvalidDefinition, "no command is named for the container"));
    };
    let mut launch = Launch::new("docker", program, &work_dir);
    launch.args = arguments.to_vec();
    launch.stdio = Stdio::Pty;
    let (name, role, find) = ("container".to_owned(), ConsoleRole::Main, Find::Stdio);
    launch.consoles = vec![ConsoleSource { name, role, find, pacing: Duration::ZERO }];
    launch.extra.insert("engine".to_owned(), format!("{} {}", engine.name, engine.version));
    launch.extra.insert("image".to_owned(), container.image.clone());
    let launch = enclosed(launch, &container, &engine.call);
    cx.report().info(format!("starting {}", launch.command_line()));
    let mut booted = start::start(None, launch, shell.namespace, host, facts, &[], cx).await?;
    // No kernel speaks on this console.
    booted.minds_kernel = false;
    booted.console.mind_fatal_watches(false);
    Ok(booted)
}

/// The overlay as files of its own, for this container alone. The channel that a machine beside it may have is not
/// there for it: its signals go over its own console.
async fn mounted_overlay(overlay: &BuiltOverlay, work_dir: &Path) -> Result<Mount, Failure> {
    let root = overlay.root.trim_matches('/').to_owned();
    let mut overlay = overlay.clone();
    overlay.files.retain(|file| file.path != format!("{root}/channel"));
    let tree = overlay.tree()?;
    let directory = work_dir.join("overlay");
    let target = Path::new("/").join(&root);
    on_thread(move || {
        std::fs::create_dir_all(directory.parent().unwrap_or(Path::new("/")))
            .map_err(|error| crate::deploy::cannot_make(&directory, &error))?;
        tree.unpack(&directory).map_err(|error| {
            Failure::new(Cause::HostRefused, format!("the overlay cannot be written: {error}"))
        })?;
        Ok(Mount { source: directory.join(root), target, read_only: false })
    })
    .await
}

/// The downloads of a namespace, to be read: they may be names of files that other jobs use.
fn mounted_downloads(namespace: Option<&str>, downloads: &Downloads) -> Result<Option<Mount>, Failure> {
    let Some(namespace) = namespace else { return Ok(None) };
    let Some(source) = downloads.directory(namespace) else {
        let message = format!("no block of namespace `{namespace}` downloaded files");
        return Err(Failure::new(Cause::InvalidDefinition, message)
            .hint("`downloads-namespace` names one with a `deploy: to: downloads` before this block"));
    };
    Ok(Some(Mount { source, target: DOWNLOADS.into(), read_only: true }))
}

/// The container of a machine that a platform starts: it sees what the machine's command line names, where it is.
pub(super) fn for_machine(
    plan: &ContainerPlan,
    work_dir: &Path,
    host: &RunHost,
) -> Result<Container, Failure> {
    let mut container = host.containers.container(plan, host)?;
    container.mounts = container::machine_mounts(host);
    container.directory = Some(work_dir.to_owned());
    if container.networks.is_empty() {
        // So that consoles which announce a port can be reached, and forwards lead where they say.
        container.networks = vec!["host".to_owned()];
        container.hostname = None;
    }
    Ok(container)
}

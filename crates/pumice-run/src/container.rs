//! Containers of a run: the engine, their names, their images.
//!
//! An engine is looked for when the first container is needed, so that a job without one asks nobody. Each container
//! bears the run's token and is in the ledger before it is made.
//!
//! Blame: an engine that does not work and an image that cannot be had are the infrastructure's, as in LAVA; what runs
//! in a container is whose it is.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    rc::Rc,
};

use pumice_guest::definition::Parameters;
use pumice_job::{Container as JobContainer, RegistryLogin};
use pumice_plan::container::{ContainerOptions, ContainerPlan};
use pumice_platform::container::{Container, Engine, Mount, find_engine};
use pumice_process::{EngineCall, Output, Stdio, Thing};
use pumice_types::{Blame as _, Cause, Failure};

use crate::{cx::StepCx, host::RunHost};

/// How much of what an engine prints is kept.
const OUTPUT_BYTES: usize = 64 << 10;

/// The label that marks every container of a run.
const LABEL: &str = "pumice.run";

/// What the operator says of containers, and what the run knows of its own.
#[derive(Debug, Default)]
pub struct Containers {
    devices: Vec<String>,
    test_mounts: Vec<Mount>,
    engines: RefCell<BTreeMap<Option<String>, Rc<Engine>>>,
    running: RefCell<BTreeMap<String, String>>,
    count: Cell<u32>,
}

impl Containers {
    /// `devices` of this host are those that a job may ask for; every container with tests sees `test_mounts` beside
    /// its overlay.
    pub fn new(devices: Vec<String>, test_mounts: Vec<Mount>) -> Self {
        Self { devices, test_mounts, ..Self::default() }
    }

    /// What every container with tests sees beside its overlay.
    pub(crate) fn test_mounts(&self) -> Vec<Mount> {
        self.test_mounts.clone()
    }

    /// The engine, looked for once.
    pub(crate) async fn engine(
        &self,
        remote: Option<&str>,
        host: &RunHost,
        cx: &StepCx,
    ) -> Result<Rc<Engine>, Failure> {
        let key = remote.map(str::to_owned);
        if let Some(engine) = self.engines.borrow().get(&key) {
            return Ok(Rc::clone(engine));
        }
        let engine = find_engine(&host.host, remote).await.map_err(|error| error.failure())?;
        cx.report().info(format!("containers run in {} {}", engine.name, engine.version));
        let engine = Rc::new(engine);
        self.engines.borrow_mut().insert(key, Rc::clone(&engine));
        Ok(engine)
    }

    /// A name that no other container has: `WANTED-pumice-TOKEN-NUMBER`.
    pub(crate) fn name(&self, wanted: Option<&str>, host: &RunHost) -> String {
        self.count.set(self.count.get() + 1);
        named(wanted, host.guard.token(), self.count.get())
    }

    /// How many there have been.
    pub(crate) fn count(&self) -> u32 {
        self.count.get()
    }

    /// Notes which container a namespace's machine is in.
    pub(crate) fn runs(&self, namespace: &str, name: &str) {
        self.running.borrow_mut().insert(namespace.to_owned(), name.to_owned());
    }

    /// A container as plan and operator describe it, with nothing mounted.
    pub(crate) fn container(&self, plan: &ContainerPlan, host: &RunHost) -> Result<Container, Failure> {
        let wanted = plan.container.container_name.as_ref().map(|name| name.value.as_str());
        let options = &plan.options;
        let mut container = Container {
            image: plan.container.image.value.clone(),
            name: self.name(wanted, host),
            labels: vec![format!("{LABEL}={}", host.guard.token())],
            hostname: Some("lava".to_owned()),
            volumes: options.volumes.clone(),
            devices: options.devices.clone(),
            networks: options.networks.clone(),
            cpus: options.cpus.clone(),
            memory: options.memory.clone(),
            privileged: options.privileged,
            capabilities: options.capabilities.clone(),
            extra: options.extra_arguments.clone(),
            ..Container::default()
        };
        for device in &plan.container.devices {
            if !self.devices.contains(&device.value) {
                let message = format!("the job asks for device `{}` of this host", device.value);
                return Err(Failure::new(Cause::HostRefused, message)
                    .hint("the operator allows devices in the configuration: `[containers]` with `devices = [\"…\"]`"));
            }
            container.devices.push(device.value.clone());
        }
        if let Some(namespace) = &plan.container.network_from {
            let running = self.running.borrow();
            let Some(other) = running.get(&namespace.value) else {
                let message = format!(
                    "no container runs in namespace `{}`, whose network is asked for",
                    namespace.value
                );
                return Err(Failure::new(Cause::InvalidDefinition, message)
                    .hint("`network_from` names a namespace that boots in a container before this block"));
            };
            container.networks = vec![format!("container:{other}")];
            // The engine refuses a name of its own for a network that is another's.
            container.hostname = None;
        }
        Ok(container)
    }
}

fn named(wanted: Option<&str>, token: &str, number: u32) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    let wanted: String = wanted.unwrap_or_default().chars().map(allowed).take(64).collect();
    let wanted = wanted.trim_start_matches(['-', '.', '_']);
    let separator = if wanted.is_empty() { "" } else { "-" };
    format!("{wanted}{separator}pumice-{token}-{number}")
}

/// The mounts of a container that a whole machine runs in: the run's own directory, with its files, sockets and
/// overlays, and the store, on which copy-on-write images depend.
pub(crate) fn machine_mounts(host: &RunHost) -> Vec<Mount> {
    vec![Mount::same(&host.work_dir, false), Mount::same(host.store.directory(), true)]
}

/// Has the image on this host: pulls it, unless the job says that the local one will do and there is one. Gives its
/// identity.
pub(crate) async fn bring_image(
    engine: &Engine,
    container: &JobContainer,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Option<String>, Failure> {
    let image = &container.image.value;
    if container.local
        && let Some(id) = image_id(engine, image, host, cx).await?
    {
        cx.report().info(format!("container image {image} is on this host"));
        return Ok(Some(id));
    }
    cx.report().info(format!("pulling container image {image}"));
    pull(engine, image, container.login.as_ref(), host, cx).await?;
    image_id(engine, image, host, cx).await
}

async fn image_id(
    engine: &Engine,
    image: &str,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Option<String>, Failure> {
    let words = ["image", "inspect", "--format", "{{.Id}}", image];
    let output = call(engine.call.command(words), host, cx).await?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Some(id).filter(|id| output.exit.status.is_success() && !id.is_empty()))
}

/// Pulls. Where the job gives a login, its credentials are in files of the run's own and gone afterwards: those of
/// the user, and other jobs, are not touched.
async fn pull(
    engine: &Engine,
    image: &str,
    login: Option<&RegistryLogin>,
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    let credentials = login.map(|login| Credentials::new(engine, login, host)).transpose()?;
    if let (Some(credentials), Some(login)) = (&credentials, login) {
        credentials.log_in(engine, login, host, cx).await?;
    }
    let words = match &credentials {
        Some(credentials) => credentials.words("pull", &[image]),
        None => vec!["pull".to_owned(), image.to_owned()],
    };
    let output = call(engine.call.command(words), host, cx).await?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        cx.report().debug(line);
    }
    if output.exit.status.is_success() {
        return Ok(());
    }
    let said = cx.report().masked(&String::from_utf8_lossy(&output.stderr));
    let message = format!("container image {image} cannot be pulled: {} {}", engine.name, output.exit.status);
    Err(Failure::new(Cause::ContainerFailed, message).evidence(engine.name, said).hint(
        "check the image's name and, for a private registry, its `login`; `local: true` takes an image that is on \
         this host",
    ))
}

/// A login to a registry that lasts for one pull.
struct Credentials {
    is_docker: bool,
    directory: PathBuf,
}

impl Drop for Credentials {
    fn drop(&mut self) {
        // With the run's directory, at the latest.
        drop(fs::remove_dir_all(&self.directory));
    }
}

impl Credentials {
    fn new(engine: &Engine, login: &RegistryLogin, host: &RunHost) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let directory = host.work_dir.join("registry");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(|error| {
            let message = format!("cannot keep the login to {}: {error}", login.registry.value);
            Failure::new(Cause::HostRefused, message)
        })?;
        Ok(Self { is_docker: engine.name == "docker", directory })
    }

    /// A subcommand with its words, told where the credentials are.
    fn words(&self, subcommand: &str, words: &[&str]) -> Vec<String> {
        let place = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut all = if self.is_docker {
            vec!["--config".to_owned(), place(self.directory.clone()), subcommand.to_owned()]
        } else {
            vec![subcommand.to_owned(), "--authfile".to_owned(), place(self.directory.join("auth.json"))]
        };
        all.extend(words.iter().map(|&word| word.to_owned()));
        all
    }

    /// The password goes through a pipe: no process list and no log shows it.
    async fn log_in(
        &self,
        engine: &Engine,
        login: &RegistryLogin,
        host: &RunHost,
        cx: &StepCx,
    ) -> Result<(), Failure> {
        let refused =
            |error: io::Error| Failure::new(Cause::HostRefused, format!("cannot make a pipe: {error}"));
        let (reader, mut writer) = io::pipe().map_err(refused)?;
        let password = expanded(&login.password.value, &host.secrets);
        writer.write_all(format!("{password}\n").as_bytes()).map_err(refused)?;
        drop(writer);
        let words = ["--username", &login.user.value, "--password-stdin", &login.registry.value];
        let command =
            engine.call.command(self.words("login", &words)).stdin(Stdio::Descriptor(reader.into()));
        let output = call(command, host, cx).await?;
        if output.exit.status.is_success() {
            return Ok(());
        }
        let said =
            cx.report().masked(&String::from_utf8_lossy(&output.stderr).replace(&password, "[MASKED]"));
        let message =
            format!("the registry {} refused the login of {}", login.registry.value, login.user.value);
        Err(Failure::new(Cause::ContainerFailed, message).evidence(engine.name, said))
    }
}

/// `$NAME` replaced from the job's secrets.
fn expanded(text: &str, secrets: &[(String, String)]) -> String {
    let mut parameters = Parameters::default();
    for (name, value) in secrets {
        parameters.set(name.clone(), value.clone());
    }
    parameters.expand(text)
}

/// Runs the engine's client to its end. An engine that hangs is not the job's failure.
pub(crate) async fn call(
    command: pumice_process::Command,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Output, Failure> {
    host.guard.output(command, OUTPUT_BYTES, cx.deadline()).await.map_err(|error| {
        let mut failure = error.failure();
        if failure.cause == Cause::StepTimeout {
            failure.cause = Cause::ContainerFailed;
            failure.fault = Cause::ContainerFailed.fault();
        }
        failure
    })
}

/// Works with a container that is run to its end. It is in the ledger meanwhile, and gone afterwards whatever the
/// work came to.
pub(crate) async fn noted<T>(
    engine: &EngineCall,
    name: &str,
    host: &RunHost,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let thing = Thing::Container { engine: engine.clone(), name: name.to_owned() };
    host.guard.ledger().made(thing.clone()).map_err(|error| error.failure())?;
    let outcome = work.await;
    let (engine, name) = (engine.clone(), name.to_owned());
    let removed = tokio::task::spawn_blocking(move || engine.remove(&name)).await;
    if matches!(removed, Ok(Ok(()))) {
        drop(host.guard.ledger().gone(&thing));
    }
    Ok(outcome)
}

/// What a container with tests or steps may use when no device says so.
pub(crate) fn plain(container: &JobContainer, extra_arguments: &[String]) -> ContainerPlan {
    let extra_arguments = extra_arguments.iter().flat_map(|text| words(text)).collect();
    ContainerPlan {
        container: container.clone(),
        options: ContainerOptions { extra_arguments, ..ContainerOptions::default() },
    }
}

/// The operator's text as words; one that cannot be split is one word.
pub(crate) fn words(text: &str) -> Vec<String> {
    shell_words::split(text).unwrap_or_else(|_| vec![text.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_name_holds_the_runs_token_and_what_the_job_wants() {
        let check = |wanted, expected: &str| assert_eq!(named(wanted, "t", 2), expected);
        check(None, "pumice-t-2");
        check(Some("fvp-aemva__boot"), "fvp-aemva__boot-pumice-t-2");
        check(Some("--privileged"), "privileged-pumice-t-2");
        check(Some("a b/c"), "a-b-c-pumice-t-2");
    }

    #[test]
    fn the_credentials_of_a_login_are_the_runs_own() {
        let words = |is_docker| {
            let credentials = Credentials { is_docker, directory: "/nowhere/registry".into() };
            credentials.words("pull", &["x:1"]).join(" ")
        };
        assert_eq!(words(true), "--config /nowhere/registry pull x:1");
        assert_eq!(words(false), "pull --authfile /nowhere/registry/auth.json x:1");
    }
}

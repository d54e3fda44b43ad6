//! Starts a machine: asks the platform what to start, and the supervisor to start it.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use pumice_console::{kernel_watches, reset_watch};
use pumice_plan::{HostSeen, MachineSpec, NetworkSpec, Scope, boot::StartMachine};
use pumice_platform::{
    Bound, COMMANDS, ConsoleRole, InstallStage, Installation, Launch, Machine, Monitor, NfsRoot, Platform,
    SIMULATOR, StartOptions,
};
use pumice_types::{Blame as _, Cause, Diagnostics, Failure};
use serde_json::json;

use super::{BootFacts, Booted, Hearing, HostAddress, executables, install, place, silence::Silence};
use crate::{
    console_log::ConsoleLog, control::Reach, cx::StepCx, deploy::Deployed, host::RunHost, licence::Seat,
};

/// Starts it.
pub(crate) async fn run(
    plan: &StartMachine,
    deployed: &Deployed,
    host: &RunHost,
    facts: &BootFacts,
    seats: &[Seat],
    cx: &StepCx,
) -> Result<Booted, Failure> {
    let Some(platform) = host.platform(&plan.spec.platform) else {
        return Err(Failure::new(Cause::Bug, format!("no platform `{}`", plan.spec.platform)));
    };
    let starter = Starter { platform: &*platform, plan, deployed, host, facts, seats };
    match &plan.group {
        Some(group) => cx.step(group, Cause::StepTimeout, async |cx| starter.attempts(cx).await).await,
        None => starter.attempts(cx).await,
    }
}

/// How often a start is tried whose licence could not be had, waiting 1, 2, 4, … seconds between.
const LICENCE_TRIES: u32 = 5;

/// A number that no other machine of this host has: the run's, and the block's in it. A process id has 22 bits
/// (`PID_MAX_LIMIT`, proc(5)).
fn instance(host: &RunHost, plan: &StartMachine) -> u32 {
    let block = plan.start.level.to_string().split('.').next().and_then(|block| block.parse::<u32>().ok());
    host.instance << 8 | block.unwrap_or(0) & 0xff
}

/// Everything that a start needs.
pub(super) struct Starter<'a> {
    platform: &'a dyn Platform,
    plan: &'a StartMachine,
    deployed: &'a Deployed,
    host: &'a RunHost,
    facts: &'a BootFacts,
    seats: &'a [Seat],
}

impl Starter<'_> {
    /// Starts it; again, after a pause, when the licence server was busy or did not answer: that passes
    /// (fastmodels 5.3). A licence that was refused stays refused.
    async fn attempts(&self, cx: &StepCx) -> Result<Booted, Failure> {
        let mut pause = Duration::from_secs(1);
        for attempt in 1.. {
            let failure = match self.steps(cx).await {
                Err(failure) if failure.cause == Cause::LicenceUnavailable => failure,
                ended => return ended,
            };
            if attempt == LICENCE_TRIES || cx.deadline().remaining(Instant::now()) <= pause {
                return Err(failure);
            }
            cx.report().warning(format!("{failure}; trying again in {} seconds", pause.as_secs()));
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Failure::new(Cause::Bug, "a start was never tried"))
    }

    /// The steps of one try: the platform's place, an installation, the start.
    async fn steps(&self, cx: &StepCx) -> Result<Booted, Failure> {
        let Self { platform, plan, host, .. } = self;
        let mut known = None;
        if let Some(scope) = &plan.version {
            let place = cx.step(scope, Cause::SimulatorHung, async |cx| {
                let place = place::find(*platform, plan, host, cx).await?;
                cx.record(json!({ "version": place.facts.version }));
                Ok(place)
            });
            known = Some(place.await?);
        }
        if let Some(install) = &plan.install {
            install::run(install, self, cx).await?;
        }
        let booted = cx
            .step(&plan.start, Cause::SimulatorHung, async |cx| {
                self.start(InstallStage::Installed, &plan.start, known.take(), cx).await
            })
            .await?;
        if let Some(scope) = &plan.connect {
            cx.step(scope, Cause::ConsoleLost, async |_| Ok(())).await?;
        }
        Ok(booted)
    }

    /// Starts the machine: what installs it, or the machine itself.
    pub(super) async fn start(
        &self,
        stage: InstallStage,
        scope: &Scope,
        known: Option<place::Place>,
        cx: &StepCx,
    ) -> Result<Booted, Failure> {
        let Self { platform, plan, deployed, host, facts, seats } = self;
        let place = match known {
            Some(place) => place,
            None => place::find(*platform, plan, host, cx).await?,
        };
        // Short, so that socket paths fit.
        let work_dir = host.work_dir.join(format!("m{}", scope.level));
        if work_dir.exists() {
            fs::remove_dir_all(&work_dir).map_err(|error| cannot_make(&work_dir, &error))?;
        }
        // An installer would take the disk with the tests for one to install to.
        let overlay_disk = deployed.overlay_disk.clone();
        let nfs = deployed.nfs.as_ref();
        let bound = Bound {
            images: deployed.files.clone(),
            executables: executables::read(&platform.executables(&plan.spec), deployed)?,
            qcow2: deployed.qcow2.clone(),
            overlay_disk: overlay_disk.filter(|_| stage == InstallStage::Installed),
            nfs: nfs.map(|server| NfsRoot { port: server.port(), export: server.export().to_owned() }),
            installation: deployed.installation.clone().map(|made| Installation { stage, ..made }),
            work_dir,
            facts: place.facts.clone(),
            instance: instance(host, plan),
            host_key: host.host_key,
            lan: host.lan.clone(),
            licence_env: host.licences.environment(&plan.licences),
            inherited_env: place.inherited(*platform, host),
        };
        let spec = with_free_ports(&plan.spec)?;
        let launch = platform.launch(&spec, &bound).map_err(|diagnostics| refused(&diagnostics))?;
        for note in &launch.notes {
            cx.report().warning(note);
        }
        let monitor = platform.monitor(&launch);
        let launch = place.enclose(launch, plan, host)?;
        cx.report().info(format!("starting {}", launch.command_line()));
        let extra = json!(launch.extra);
        let namespace = &plan.spec.namespace;
        let mut booted = start(monitor, launch, namespace, host, facts, seats, cx).await?;
        booted.host = HostAddress::of(&plan.host, &self.host.search_path);
        cx.record(extra);
        Ok(booted)
    }
}

/// The specification with a free port of this host wherever a forward asks for one (port 0).
fn with_free_ports(spec: &MachineSpec) -> Result<MachineSpec, Failure> {
    let mut spec = spec.clone();
    if let Some(NetworkSpec::User { forwards, .. } | NetworkSpec::Tap { forwards, .. }) = &mut spec.network {
        // All are held until all are known, so that no two are the same.
        let mut held = Vec::new();
        for forward in forwards.iter_mut().filter(|forward| forward.host_port == 0) {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
                let port = socket.local_addr()?.port();
                Ok((socket, port))
            });
            let (socket, port) = free.map_err(|error| {
                Failure::new(Cause::NetworkSetup, format!("this host has no free port: {error}"))
            })?;
            forward.host_port = port;
            held.push(socket);
        }
    }
    Ok(spec)
}

/// All that keeps a machine from being started, as one failure.
fn refused(diagnostics: &Diagnostics) -> Failure {
    let mistakes: Vec<_> = diagnostics.iter().map(|one| one.message.as_str()).collect();
    let hints: Vec<_> = diagnostics.iter().filter_map(|one| one.help.as_deref()).collect();
    let message = format!("the machine cannot be started: {}", mistakes.join("; "));
    let failure = Failure::new(Cause::DeviceInvalid, message);
    if hints.is_empty() { failure } else { failure.hint(hints.join("; ")) }
}

/// Starts a launch, its consoles recorded as those of `namespace`.
pub(super) async fn start(
    monitor: Option<Box<dyn Monitor>>,
    launch: Launch,
    namespace: &str,
    host: &RunHost,
    facts: &BootFacts,
    seats: &[Seat],
    cx: &StepCx,
) -> Result<Booted, Failure> {
    let mut roles: HashMap<_, _> =
        launch.consoles.iter().map(|console| (console.name.clone(), console.role)).collect();
    roles.entry(SIMULATOR.to_owned()).or_insert(ConsoleRole::Feedback);
    roles.entry(COMMANDS.to_owned()).or_insert(ConsoleRole::Main);
    let file = transcript(host.output_dir.as_deref(), namespace, cx);
    let (log, heard) = ConsoleLog::new(cx.report().clone(), namespace, roles, file, facts.mask.clone());
    let clock = log.start();
    let options = StartOptions {
        guard: &host.guard,
        search_path: &host.search_path,
        network_helper: &host.network_helper,
        networks: &host.networks,
        watches: kernel_watches().into_iter().chain([reset_watch()]).collect(),
        pacing: facts.pacing,
        inherited: seats.iter().filter_map(|seat| seat.share().ok()).collect(),
        deadline: cx.deadline(),
    };
    let container = launch.container.as_ref().map(|container| container.name.clone());
    let mut machine = Machine::start(launch, monitor, log, options).await.map_err(|error| error.failure())?;
    let reach = host
        .hands
        .add(namespace, Reach::new(machine.launch().platform, machine.console_handles(), machine.buttons()));
    if let Some(container) = container {
        host.containers.runs(namespace, &container);
    }
    let console = machine
        .take_console(ConsoleRole::Main)
        .ok_or_else(|| Failure::new(Cause::DeviceInvalid, "the device gives the machine no main console"))?;
    let channel = machine.take_console(ConsoleRole::Channel);
    let silence = Silence::new(facts.inactivity, [&console].into_iter().chain(&channel));
    Ok(Booted {
        machine,
        console,
        channel,
        others: Vec::new(),
        heard: Hearing::new(heard, clock),
        clock,
        silence,
        prompts: None,
        seats: Vec::new(),
        reach,
        minds_kernel: true,
        host: HostAddress::of(&HostSeen::default(), &host.search_path),
    })
}

/// The transcript of a machine, `transcripts/NAMESPACE.transcript`; a machine that is started again appends to
/// nothing but begins the next file.
fn transcript(output_dir: Option<&Path>, namespace: &str, cx: &StepCx) -> Option<Box<dyn Write + Send>> {
    let directory = output_dir?.join("transcripts");
    let made = fs::create_dir_all(&directory).and_then(|()| {
        let free = (1_u32..).map(|number| {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            directory.join(format!("{namespace}{suffix}.transcript"))
        });
        let path = free.into_iter().find(|path| !path.exists()).unwrap_or_default();
        fs::File::create_new(path)
    });
    match made {
        Ok(file) => Some(Box::new(file)),
        Err(error) => {
            cx.report().warning(format!("no transcript is kept in `{}`: {error}", directory.display()));
            None
        }
    }
}

fn cannot_make(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Cause::HostRefused, format!("cannot make `{}`: {error}", path.display()))
}

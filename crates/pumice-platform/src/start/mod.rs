//! Starting a machine: files, sockets, the process, its consoles, its control channel.

mod announce;
mod connect;
mod ports;
mod prepare;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pumice_console::{Connection, Console, ConsoleOptions, Pacing, Recorder};
use pumice_process::{Child, SpawnError, Thing};
use pumice_types::{Cause, Failure};
use tokio::net::UnixListener;

use crate::{
    ConsoleRole, ConsoleSource, Find, Launch, Machine, Monitor, StartError, StartOptions,
    machine::Consoles,
    network::MadeNetwork,
    output::{Output, OutputReader, PowerOffReader},
};

/// The name under which the simulator's own output is recorded.
pub const SIMULATOR: &str = "simulator";

/// The name of the console of commands that run beside the simulator, in its container.
pub const COMMANDS: &str = "commands";

/// What every console is started with.
#[derive(Clone)]
struct Factory<R> {
    recorder: R,
    watches: Vec<pumice_console::Watch>,
    pacing: Duration,
    consoles: Consoles,
    output: Output,
    launch: Arc<Launch>,
}

impl<R: Recorder + Clone + 'static> Factory<R> {
    /// Begins to drain a console of the launch.
    fn start(&self, source: &ConsoleSource, connection: Connection) -> Result<(), StartError> {
        self.start_with(source, connection, self.recorder.clone())
    }

    fn start_with(
        &self,
        source: &ConsoleSource,
        connection: Connection,
        recorder: impl Recorder + 'static,
    ) -> Result<(), StartError> {
        let is_main = source.role == ConsoleRole::Main;
        let watches = if is_main { self.watches.clone() } else { Vec::new() };
        let delay = source.pacing.max(self.pacing);
        let pacing = if delay.is_zero() { Pacing::UNPACED } else { Pacing::per_character(delay) };
        let options = ConsoleOptions { watches, pacing, ..ConsoleOptions::default() };
        let power_off = PowerOffReader::new(&self.launch, self.output.clone()).filter(|_| is_main);
        let console = match power_off {
            Some(reader) => Console::start(&source.name, connection, (recorder, reader), options),
            None => Console::start(&source.name, connection, recorder, options),
        };
        let console = console
            .map_err(|error| StartError::Failed(Failure::new(Cause::InvalidDefinition, error.to_string())))?;
        self.consoles.add(source.role, console);
        Ok(())
    }

    /// What is to be told of a console whose connection was made again.
    fn again(&self, console: &str) -> Arc<dyn Fn() + Send + Sync> {
        let (recorder, console) = (Mutex::new(self.recorder.clone()), console.to_owned());
        Arc::new(move || {
            let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            recorder.reconnected(&console, Instant::now());
        })
    }
}

impl Machine {
    /// Starts a launch. Returns once every console that must be there can be read. On an error nothing of it is
    /// left.
    pub async fn start<R: Recorder + Clone + 'static>(
        launch: Launch,
        monitor: Option<Box<dyn Monitor>>,
        recorder: R,
        options: StartOptions<'_>,
    ) -> Result<Self, StartError> {
        prepare::write_files(&launch)?;
        ports::check_ports(&launch)?;
        let network = Box::pin(MadeNetwork::make(&launch, &options)).await.map_err(StartError::Failed)?;
        let way_in = network.as_ref().and_then(MadeNetwork::way_in);
        let listeners = prepare::listen(&launch)?;
        let control = match &launch.monitor {
            Some(source) => {
                Some(UnixListener::bind(&source.path).map_err(|error| made(&source.path, error))?)
            }
            None => None,
        };
        let output = Output::default();
        let factory = Factory {
            recorder,
            watches: options.watches.clone(),
            pacing: options.pacing,
            consoles: Consoles::default(),
            output: output.clone(),
            launch: Arc::new(launch.clone()),
        };
        let mut command = prepare::command(&launch, network.as_ref(), options.search_path);
        for descriptor in options.inherited {
            command.inherit(descriptor);
        }
        let container = launch.container.clone();
        let container = container.map(|one| Thing::Container { engine: one.engine, name: one.name });
        if let Some(container) = &container {
            options.guard.ledger().made(container.clone()).map_err(SpawnError::Ledger)?;
        }
        let mut child = options.guard.spawn(&command).inspect_err(|_| {
            // Nothing was made.
            container.as_ref().map(|container| options.guard.ledger().gone(container));
        })?;
        // The child has its own copies; ours would hold what it has given back.
        drop(command);
        drain_streams(&launch, &mut child, &factory, &output)?;
        let lifeline = child.lifeline().map_err(|error| {
            let message = format!("the end of the simulator cannot be watched: {error}");
            StartError::Failed(Failure::new(Cause::HostRefused, message))
        })?;
        let announcing = announce::announce(
            launch.clone(),
            output.clone(),
            factory.clone(),
            lifeline.into(),
            way_in.clone(),
        );
        let announcer = tokio::spawn(announcing);
        let mut sockets: Vec<_> = listeners.iter().map(|(_, listener)| listener.path().to_owned()).collect();
        sockets.extend(launch.monitor.iter().map(|source| source.path.clone()));
        let factory_of_more = factory.clone();
        let mut machine = Self {
            launch,
            child,
            output,
            consoles: factory.consoles.clone(),
            control: None,
            announcer: Some(announcer),
            sockets,
            guard: options.guard.clone(),
            network,
            beside: Vec::new(),
            attach: Box::new(move |source, connection| factory_of_more.start(source, connection)),
        };
        // From here on, dropping the machine ends it.
        let connected = async {
            for (index, listener) in &listeners {
                let source = &machine.launch.consoles[*index];
                let connection = listener.accept(options.deadline).await;
                let connection = connection.map_err(|error| no_console(source, error))?;
                factory.start(source, connection)?;
            }
            connect::connect_known(&machine.launch, &factory, way_in.as_deref(), options.deadline).await?;
            let control = match (monitor, control) {
                (Some(monitor), Some(listener)) => {
                    Some(connect::attach(monitor, listener, options.deadline).await?)
                }
                _ => None,
            };
            announce::wait_for_announced(&machine.launch, &machine.consoles, options.deadline).await?;
            ports::probe_forwards(&machine.launch, options.deadline).await?;
            Ok(control)
        };
        let control = tokio::select! {
            biased;
            failure = machine.output.failed() => Err(StartError::Failed(failure)),
            connected = connected => connected,
            exit = machine.child.wait() => {
                // The last of its output says why.
                machine.output.ended().await;
                let subject = machine.launch.subject();
                let what = format!("{subject} ended before its consoles were there: it {}", exit.status);
                Err(StartError::Failed(machine.output.failure_of(Cause::SimulatorExited, &what)))
            }
        };
        match control {
            Ok(control) => {
                machine.control = control;
                Ok(machine)
            }
            Err(error) => {
                machine.release().await;
                Err(error)
            }
        }
    }
}

fn made(path: &Path, source: io::Error) -> StartError {
    StartError::Make { path: path.to_owned(), source }
}

fn no_console(source: &ConsoleSource, error: pumice_console::ConnectError) -> StartError {
    StartError::Console { console: source.name.clone(), source: error }
}

/// Drains the program's own streams from the first byte, whether they are a console or not.
fn drain_streams<R: Recorder + Clone + 'static>(
    launch: &Launch,
    child: &mut Child,
    factory: &Factory<R>,
    output: &Output,
) -> Result<(), StartError> {
    let own = ConsoleSource {
        name: SIMULATOR.to_owned(),
        role: ConsoleRole::Feedback,
        find: Find::Stdio,
        pacing: Duration::ZERO,
    };
    let read = || (factory.recorder.clone(), OutputReader::new(launch, output.clone()));
    let console = launch.consoles.iter().find(|console| console.find == Find::Stdio);
    let source = console.unwrap_or(&own);
    if let Some(terminal) = child.terminal.take() {
        factory.start_with(source, Connection::terminal(terminal), read())?;
    } else if let Some(stdout) = child.stdout.take() {
        let connection = match child.stdin.take() {
            Some(stdin) => Connection::new(stdout, stdin),
            None => Connection::read_only(stdout),
        };
        factory.start_with(source, connection, read())?;
    }
    if let Some(stderr) = child.stderr.take() {
        factory.start_with(&own, Connection::read_only(stderr), read())?;
    }
    Ok(())
}

//! Starting a machine: files, sockets, the process, its consoles, its control channel.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pumice_console::{Connection, Console, ConsoleOptions, Listener, Pacing, Pattern, Pipes, Recorder};
use pumice_network::namespace;
use pumice_process::{Child, Command, Lifeline, SpawnError, Stdio as ProcessStdio, Terminal, Thing};
use pumice_types::{Cause, Deadline, Failure};
use tokio::net::{TcpStream, UnixListener, unix::pipe};

use crate::{
    Announcement, ConsoleRole, ConsoleSource, Find, Launch, Machine, Monitor, StartError, StartOptions,
    Stdio,
    control::Control,
    machine::Consoles,
    network::MadeNetwork,
    output::{Announced, Output, OutputReader, PowerOffReader},
    redial::{Dial, Lines},
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
        let power_off = is_main.then(|| PowerOffReader::new(&self.launch, self.output.clone())).flatten();
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
        write_files(&launch)?;
        check_ports(&launch)?;
        let network = Box::pin(MadeNetwork::make(&launch, &options)).await.map_err(StartError::Failed)?;
        let way_in = network.as_ref().and_then(MadeNetwork::way_in);
        let listeners = listen(&launch)?;
        let pipes = make_pipes(&launch)?;
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
        let mut command = command(&launch, network.as_ref(), options.search_path);
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
        let (pipes, connections): (Vec<_>, Vec<_>) =
            pipes.into_iter().map(|(index, pipes, connection)| (pipes, (index, connection))).unzip();
        for (index, connection) in connections {
            factory.start(&launch.consoles[index], connection)?;
        }
        let lifeline = child.lifeline().map_err(|error| {
            let message = format!("the end of the simulator cannot be watched: {error}");
            StartError::Failed(Failure::new(Cause::HostRefused, message))
        })?;
        let announcing =
            announce(launch.clone(), output.clone(), factory.clone(), lifeline.into(), way_in.clone());
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
            connect_known(&machine.launch, &factory, way_in.as_deref(), options.deadline).await?;
            let control = match (monitor, control) {
                (Some(monitor), Some(listener)) => Some(attach(monitor, listener, options.deadline).await?),
                _ => None,
            };
            wait_for_announced(&machine.launch, &machine.consoles, &machine.output, options.deadline).await?;
            probe_forwards(&machine.launch, options.deadline).await?;
            // It has opened them.
            drop(pipes);
            Ok(control)
        };
        let control = tokio::select! {
            biased;
            failure = machine.output.failed() => Err(StartError::Failed(failure)),
            connected = connected => connected,
            exit = machine.child.wait() => Err(Box::pin(ended_early(&machine, exit)).await),
        };
        // A connection that broke is often the first that is seen of the end of a simulator, which says more.
        let control = match control {
            Err(error @ (StartError::Control(_) | StartError::Console { .. })) => {
                let seen = Box::pin(tokio::time::timeout(END_PATIENCE, machine.child.wait())).await;
                Err(match seen {
                    Ok(exit) => Box::pin(ended_early(&machine, exit)).await,
                    Err(_) => error,
                })
            }
            other => other,
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

/// How long after a broken connection the end of a simulator is waited for.
const END_PATIENCE: Duration = Duration::from_millis(500);

/// A simulator that ended before it could be used: the last of its output says why.
async fn ended_early(machine: &Machine, exit: pumice_process::Exit) -> StartError {
    machine.output.ended().await;
    let subject = machine.launch.subject();
    let what = format!("{subject} ended before its consoles were there: it {}", exit.status);
    StartError::Failed(machine.output.failure_of(Cause::SimulatorExited, &what))
}

fn made(path: &Path, source: io::Error) -> StartError {
    StartError::Make { path: path.to_owned(), source }
}

fn no_console(source: &ConsoleSource, error: pumice_console::ConnectError) -> StartError {
    StartError::Console { console: source.name.clone(), source: error }
}

/// How long a forwarded port may take to answer once the consoles are there.
const FORWARD_PATIENCE: Duration = Duration::from_secs(10);

/// Tries every forwarded port: a simulator may say nothing when it could not make one (fastmodels 6.1).
async fn probe_forwards(launch: &Launch, deadline: &Deadline) -> Result<(), StartError> {
    for forward in &launch.forwards {
        let patience = deadline.narrowed(Instant::now(), FORWARD_PATIENCE, "the network of the simulator");
        while TcpStream::connect((Ipv4Addr::LOCALHOST, forward.host_port)).await.is_err() {
            if patience.is_over(Instant::now()) {
                let message = format!(
                    "port {} of this host does not lead to port {} of the guest: nobody answers",
                    forward.host_port, forward.guest_port
                );
                return Err(StartError::Failed(Failure::new(Cause::NetworkSetup, message)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// A simulator that says nothing when a forward fails is not asked to make one that must fail. Where we forward
/// ourselves, the ports are held instead.
fn check_ports(launch: &Launch) -> Result<(), StartError> {
    if launch.network.is_some() {
        return Ok(());
    }
    for forward in launch.forwards.iter().chain(&launch.claims).filter(|forward| forward.host_port != 0) {
        TcpListener::bind((Ipv4Addr::LOCALHOST, forward.host_port))
            .map_err(|_| StartError::PortTaken { port: forward.host_port, guest_port: forward.guest_port })?;
    }
    Ok(())
}

fn write_files(launch: &Launch) -> Result<(), StartError> {
    fs::create_dir_all(&launch.work_dir).map_err(|error| made(&launch.work_dir, error))?;
    for link in &launch.links {
        let path = launch.work_dir.join(&link.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| made(parent, error))?;
        }
        // Two files of one name: the first has it, as in a directory that both were copied to.
        if !path.is_symlink() {
            std::os::unix::fs::symlink(&link.target, &path).map_err(|error| made(&path, error))?;
        }
    }
    for file in &launch.files {
        let path = launch.work_dir.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| made(parent, error))?;
        }
        fs::write(&path, &file.contents).map_err(|error| made(&path, error))?;
    }
    Ok(())
}

fn listen(launch: &Launch) -> Result<Vec<(usize, Listener)>, StartError> {
    let mut listeners = Vec::new();
    for (index, console) in launch.consoles.iter().enumerate() {
        if let Find::Listen { path } = &console.find {
            listeners.push((index, Listener::bind(path.clone()).map_err(|error| made(path, error))?));
        }
    }
    Ok(listeners)
}

/// The pipes of the launch, with the index of the console whose they are.
fn make_pipes(launch: &Launch) -> Result<Vec<(usize, Pipes, Connection)>, StartError> {
    let mut all = Vec::new();
    for (index, console) in launch.consoles.iter().enumerate() {
        if let Find::Pipes { path } = &console.find {
            let (pipes, connection) = Pipes::make(path).map_err(|error| made(path, error))?;
            all.push((index, pipes, connection));
        }
    }
    Ok(all)
}

/// A small, fixed environment, and what the launch says.
fn command(launch: &Launch, network: Option<&MadeNetwork>, search_path: &str) -> Command {
    let home = launch.work_dir.to_string_lossy().into_owned();
    let mut words = network.map(MadeNetwork::prefix).unwrap_or_default();
    words.push((&launch.program).into());
    words.extend(launch.args.iter().map(Into::into));
    let program = words.remove(0);
    let mut command = Command::new(program)
        .args(words)
        .directory(&launch.work_dir)
        .envs([
            ("PATH", search_path),
            ("HOME", &home),
            ("TMPDIR", &home),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "dumb"),
        ])
        .envs(launch.env.iter().filter(|(name, _)| !launch.env_remove.contains(name)))
        .envs(&launch.secret_env.0);
    let is_console = launch.consoles.iter().any(|console| console.find == Find::Stdio);
    command = match (launch.stdio, is_console) {
        (Stdio::Pty, _) => command.on_terminal(),
        (Stdio::Pipes, true) => {
            command.stdin(ProcessStdio::Piped).stdout(ProcessStdio::Piped).stderr(ProcessStdio::Piped)
        }
        (Stdio::Pipes, false) => command.stdout(ProcessStdio::Piped).stderr(ProcessStdio::SameAsOutput),
    };
    command
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

/// Connects the consoles whose place is known beforehand.
async fn connect_known<R: Recorder + Clone + 'static>(
    launch: &Launch,
    factory: &Factory<R>,
    way_in: Option<&Path>,
    deadline: &Deadline,
) -> Result<(), StartError> {
    for source in &launch.consoles {
        let connection = match &source.find {
            Find::Connect { path } => Connection::unix(path, deadline).await,
            Find::Port { port, telnet } => match way_in {
                Some(way_in) => connect_inside(way_in, *port, *telnet, deadline).await,
                None => connect(*port, *telnet, deadline).await,
            },
            _ => continue,
        };
        factory.start(source, connection.map_err(|error| no_console(source, error))?)?;
    }
    Ok(())
}

async fn connect(
    port: u16,
    telnet: bool,
    deadline: &Deadline,
) -> Result<Connection, pumice_console::ConnectError> {
    // Models listen on IPv4 only, and `localhost` may mean ::1 (fastmodels 4.1).
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if telnet {
        Connection::tcp_telnet(address, deadline).await
    } else {
        Connection::tcp(address, deadline).await
    }
}

/// Connects to a port in the network of the machine, as soon as it is there.
async fn connect_inside(
    way_in: &Path,
    port: u16,
    telnet: bool,
    deadline: &Deadline,
) -> Result<Connection, pumice_console::ConnectError> {
    loop {
        if let Ok(stream) = namespace::connect(way_in, port).await {
            return Ok(if telnet { Connection::telnet(stream) } else { Connection::both(stream) });
        }
        if deadline.is_over(Instant::now()) {
            // Says it in the words of the other way: it is the same to a person.
            return connect(port, telnet, deadline).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn attach(
    monitor: Box<dyn Monitor>,
    listener: UnixListener,
    deadline: &Deadline,
) -> Result<Control, StartError> {
    let attached = async {
        let (stream, _) = listener.accept().await?;
        Control::start(monitor, stream).await
    };
    match tokio::time::timeout_at(deadline.at().into(), attached).await {
        Ok(control) => control.map_err(StartError::Control),
        Err(_) => Err(StartError::Control(io::Error::from(io::ErrorKind::TimedOut).into())),
    }
}

/// How long after a break a console's new place may be announced before the break is noticed here.
const MOVES: Duration = Duration::from_millis(100);

/// Connects every console that announces itself, for as long as the machine runs: an unread console holds up the
/// guest, so those nobody asked for are drained too.
async fn announce<R: Recorder + Clone + 'static>(
    launch: Launch,
    output: Output,
    factory: Factory<R>,
    lifeline: Arc<Lifeline>,
    way_in: Option<PathBuf>,
) {
    let mut seen = 0;
    let mut paths_left: Vec<_> = (0..launch.consoles.len())
        .filter(|index| matches!(launch.consoles[*index].find, Find::AnnouncedPath { .. }))
        .collect();
    if launch.announcement.is_none() && paths_left.is_empty() {
        return;
    }
    let lines = Lines::default();
    let mut news = output.news();
    loop {
        for one in output.announced(seen) {
            seen += 1;
            let is_raw = |announcement: &Announcement| {
                announcement.raw.iter().any(|name| one.text.contains(&format!("{name}:")))
            };
            let telnet = launch.announcement.as_ref().is_some_and(|one| one.telnet && !is_raw(one));
            if lines.has(&one.name) {
                // A console that moved, whose line finds it again, or another of the same name.
                tokio::time::sleep(MOVES).await;
                if lines.is_broken(&one.name) || lines.holds(&one.name, one.port) {
                    continue;
                }
            }
            let source = source_of(&launch, &one, &factory.consoles);
            let dial = Dial {
                port: one.port,
                way_in: way_in.clone(),
                name: one.name.clone(),
                output: output.clone(),
                lifeline: lifeline.clone(),
                lines: lines.clone(),
                again: factory.again(&source.name),
            };
            let Some(line) = dial.line().await else { continue };
            let connection = if telnet { Connection::telnet(line) } else { Connection::both(line) };
            drop(factory.start(&source, connection));
        }
        let mut still_left = Vec::new();
        for index in paths_left {
            let Some(path) = output.path(index) else {
                still_left.push(index);
                continue;
            };
            if let Ok(connection) = open_announced(Path::new(&path)) {
                drop(factory.start(&launch.consoles[index], connection));
            }
        }
        paths_left = still_left;
        if news.changed().await.is_err() {
            return;
        }
    }
}

/// A pseudo terminal, or a FIFO, which is only listened to.
fn open_announced(path: &Path) -> io::Result<Connection> {
    use std::os::unix::fs::FileTypeExt as _;
    if fs::metadata(path)?.file_type().is_fifo() {
        return Ok(Connection::read_only(pipe::OpenOptions::new().open_receiver(path)?));
    }
    Terminal::open(path).map(Connection::terminal)
}

/// Which console of the launch an announcement is: the first whose pattern finds it and that is not there yet;
/// else one more to listen to.
fn source_of(launch: &Launch, one: &Announced, consoles: &Consoles) -> ConsoleSource {
    let fits = |source: &&ConsoleSource| match &source.find {
        Find::Announced { pattern, .. } => {
            Pattern::python(pattern).is_ok_and(|pattern| pattern.is_match(one.text.as_bytes()))
                && !consoles.has(&source.name)
        }
        _ => false,
    };
    if let Some(source) = launch.consoles.iter().find(fits) {
        return source.clone();
    }
    let name = if consoles.has(&one.name) { format!("{}-{}", one.name, one.port) } else { one.name.clone() };
    ConsoleSource {
        name,
        role: ConsoleRole::Feedback,
        find: Find::Port { port: one.port, telnet: true },
        pacing: Duration::ZERO,
    }
}

/// Waits for the consoles that must announce themselves.
async fn wait_for_announced(
    launch: &Launch,
    consoles: &Consoles,
    output: &Output,
    deadline: &Deadline,
) -> Result<(), StartError> {
    let required: Vec<_> = launch
        .consoles
        .iter()
        .filter(|source| {
            matches!(source.find, Find::Announced { required: true, .. } | Find::AnnouncedPath { .. })
        })
        .map(|source| source.name.as_str())
        .collect();
    if required.is_empty() {
        return Ok(());
    }
    let within = launch.announcement.as_ref().map_or(Duration::from_secs(30), |one| one.within);
    let patience = deadline.narrowed(Instant::now(), within, "the start of the simulator");
    let there = tokio::time::timeout_at(patience.at().into(), consoles.all_there(&required)).await;
    there.map_err(|_| {
        let missing: Vec<_> = required.into_iter().filter(|name| !consoles.has(name)).collect();
        let names = missing.join(", ");
        let failure = Failure::timed_out(
            Cause::ConsoleLost,
            patience.owner(),
            patience.limit(),
            &format!("the simulator to announce {names}"),
        );
        let said = output.tail();
        if said.is_empty() && launch.takes_licence() {
            let hint =
                "the simulator printed nothing: does it wait for a licence, whose server lets it queue?";
            return StartError::Failed(failure.hint(hint));
        }
        StartError::Failed(
            failure.evidence("simulator", said).hint("look at the simulator's own output in the log"),
        )
    })
}

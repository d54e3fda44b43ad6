//! `pumice worker`: a worker of our server, or of LAVA's.

use std::{fs, path::Path, path::PathBuf, time::Duration};

use pumice_client::{Address, Connection, Credentials, LavaWorkerClient, Options, PlainHttp, WorkerClient};
use pumice_types::{Blame as _, Failure, WorkerName};
use pumice_worker::{Agent, AgentError, JobProgram, LavaAgent, LavaConfig, StopMode, worker_token};

use crate::{
    cli::{Places, lab::WorkerArgs},
    exit::Exit,
    host,
    lab::{self, Signals, asked, host_refused},
};

/// How often LAVA's server is asked, and how long lines are gathered for it (LAVA's own worker: 20 s and 5 s).
const LAVA_PING: Duration = Duration::from_secs(5);
const LAVA_LOG: Duration = Duration::from_secs(5);

pub(crate) fn main(args: &WorkerArgs) -> Exit {
    lab::log_to_standard_error();
    lab::exit(work(args))
}

fn work(args: &WorkerArgs) -> Result<Exit, Failure> {
    let state = args.state.clone().unwrap_or_else(|| host::state_dir(&Places::default()).join("worker"));
    lab::private_directory(&state)?;
    let state = fs::canonicalize(&state).map_err(|error| host_refused("cannot use the state", &error))?;
    let name = lab::worker_name(args.name.as_deref());
    let plain = if args.plain_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
    let url = args.server.as_ref().or(args.lava_server.as_ref()).map_or("", String::as_str);
    let mut options = Options::new(asked(Address::parse(url, plain))?, Credentials::None);
    options.certificates.clone_from(&args.ca_cert);
    let connection = asked(Connection::new(options))?;
    if args.lava_server.is_some() {
        return for_lava(args, &connection, state, &name);
    }
    let joining = args.token.clone().map(Credentials::Bearer);
    let joining = joining.map(|token| WorkerClient::new(connection.with_credentials(token)));
    let token = worker_token(&state, &name, joining.as_ref()).map_err(|error| error.failure())?;
    let client = WorkerClient::new(connection.with_credentials(Credentials::Bearer(token)));
    let host = lab::look(&state, &name)?;
    // A job's process has another working directory.
    let ca_cert = args.ca_cert.as_ref().map(std::path::absolute).transpose();
    let ca_cert = ca_cert.map_err(|error| host_refused("cannot use the certificates", &error))?;
    let mut config = lab::worker_config(name, state, host, lab::job_arguments(url, ca_cert.as_deref()));
    config.least_free = args.least_free;
    let (agent, stop) = Agent::new(config, client).map_err(|error| error.failure())?;
    until_signal(move || agent.run(), move |mode| stop.stop(mode))
}

fn for_lava(
    args: &WorkerArgs,
    connection: &Connection,
    state: PathBuf,
    name: &WorkerName,
) -> Result<Exit, Failure> {
    let token = match &args.token {
        Some(token) => token.clone(),
        None => kept_or_registered(&state.join("token"), connection, name)?,
    };
    let client = LavaWorkerClient::new(connection.with_credentials(Credentials::LavaToken(token)));
    let config = LavaConfig {
        name: name.to_string(),
        state,
        job_program: JobProgram { program: lab::program(), arguments: vec!["__lava-run".into()] },
        keeper: lab::keeper(),
        ping_interval: LAVA_PING,
        log_interval: LAVA_LOG,
    };
    let (agent, stop) = LavaAgent::new(config, client).map_err(|error| error.failure())?;
    until_signal(move || agent.run(), move |mode| stop.stop(mode))
}

/// A LAVA server that lets workers add themselves gives each its token once.
fn kept_or_registered(path: &Path, connection: &Connection, name: &WorkerName) -> Result<String, Failure> {
    if let Ok(token) = fs::read_to_string(path) {
        return Ok(token.trim().to_owned());
    }
    let client = LavaWorkerClient::new(connection.clone());
    let token = asked(client.register(name.as_str(), None))?;
    lab::write_private(path, &token)?;
    Ok(token)
}

/// SIGTERM leaves jobs to their keepers, so that a worker can be replaced under them; Ctrl-C ends them.
fn until_signal(
    run: impl FnOnce() -> Result<(), AgentError> + Send + 'static,
    stop: impl Fn(StopMode) + Send + 'static,
) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| host_refused("cannot start", &error))?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| host_refused("cannot start", &error))?;
        let mut working = tokio::task::spawn_blocking(run);
        let ended = tokio::select! {
            ended = &mut working => ended,
            is_terminate = signals.next() => {
                stop(if is_terminate { StopMode::Detach } else { StopMode::Kill });
                working.await
            }
        };
        ended.map_err(|error| host_refused("the worker broke", &error))?.map_err(|error| error.failure())?;
        Ok(Exit::Success)
    })
}

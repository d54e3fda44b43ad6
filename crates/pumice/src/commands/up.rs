//! `pumice up`: a lab on this host, server and one worker in one process.

use pumice_client::{Address, Connection, Credentials, Options, PlainHttp, WorkerClient};
use pumice_types::{Blame as _, Failure};
use pumice_worker::{Agent, StopMode};

use crate::{
    cli::lab::UpArgs,
    exit::Exit,
    lab::{self, LabDirectory, Scheme, Server, Signals, asked, host_refused},
};

pub(crate) fn main(args: &UpArgs) -> Exit {
    lab::log_to_standard_error();
    lab::exit(up(args))
}

fn up(args: &UpArgs) -> Result<Exit, Failure> {
    let directory = LabDirectory::create(&args.server.state)?;
    let name = lab::worker_name(args.name.as_deref());
    let host = lab::look(&directory.worker(), &name)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| host_refused("cannot start", &error))?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| host_refused("cannot start", &error))?;
        let server = tokio::select! {
            opened = Server::open(&directory, &args.server, Scheme::Http) => opened?,
            _ = signals.next() => return Ok(Exit::Success),
        };
        let token = server.app.join_worker(name.as_str()).await;
        let token = token.map_err(|error| host_refused("cannot add the worker", &error))?;
        // Whatever address of this host it is: what is sent there does not leave the host.
        let address = asked(Address::parse(&server.own_url, PlainHttp::Anywhere))?;
        let options = Options::new(address, Credentials::Bearer(token));
        let client = WorkerClient::new(asked(Connection::new(options))?);
        let arguments = lab::job_arguments(&server.own_url, None);
        let config = lab::worker_config(name.clone(), directory.worker(), host, arguments);
        let (agent, stop) = Agent::new(config, client).map_err(|error| error.failure())?;
        server.announce(&directory)?;

        let stopper = server.app.stopper();
        let mut serving = tokio::spawn(server.app.serve(server.listener));
        let mut working = tokio::task::spawn_blocking(move || agent.run());
        let early = tokio::select! {
            _ = signals.next() => None,
            ended = &mut serving => Some(ended.map(Ok)),
            ended = &mut working => Some(ended.map(|ended| ended.map_err(|error| error.failure()))),
        };
        if let Some(ended) = early {
            stop.stop(StopMode::Detach);
            stopper.stop();
            ended.map_err(|error| host_refused("a part of the lab broke", &error))??;
            return Ok(Exit::Success);
        }
        // The worker first: its jobs are ended and reported while there is a server to tell.
        stop.stop(StopMode::Kill);
        let worked = working.await.map_err(|error| host_refused("the worker broke", &error))?;
        stopper.stop();
        serving.await.map_err(|error| host_refused("the server broke", &error))?;
        worked.map_err(|error| error.failure())?;
        Ok(Exit::Success)
    })
}

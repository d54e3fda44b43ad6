//! `pumice server`: a lab's server alone.

use pumice_types::Failure;

use crate::{
    cli::lab::ServerArgs,
    exit::Exit,
    lab::{self, LabDirectory, Server, Signals, host_refused},
};

pub(crate) fn main(args: &ServerArgs) -> Exit {
    lab::log_to_standard_error();
    lab::exit(serve(args))
}

fn serve(args: &ServerArgs) -> Result<Exit, Failure> {
    let directory = LabDirectory::create(&args.state)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| host_refused("cannot start", &error))?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| host_refused("cannot start", &error))?;
        let server = Server::open(&directory, args).await?;
        server.announce(&directory)?;
        let stopper = server.app.stopper();
        tokio::spawn(async move {
            signals.next().await;
            stopper.stop();
        });
        let served = server.app.serve(server.listener).await;
        served.map_err(|error| host_refused("the server ended", &error))?;
        Ok(Exit::Success)
    })
}

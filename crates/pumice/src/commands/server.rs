//! `pumice server`: a lab's server alone.

use pumice_server::Tls;
use pumice_types::Failure;

use crate::{
    cli::lab::ServeArgs,
    exit::Exit,
    lab::{self, LabDirectory, Scheme, Server, Signals, host_refused},
};

pub(crate) fn main(args: &ServeArgs) -> Exit {
    lab::log_to_standard_error();
    lab::exit(serve(args))
}

fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    let directory = LabDirectory::create(&args.server.state)?;
    let tls = args.tls_cert.as_ref().zip(args.tls_key.as_ref());
    let tls = tls.map(|(certificate, key)| Tls::open(certificate, key)).transpose();
    let tls = tls.map_err(|error| host_refused("cannot use TLS", &error))?;
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| host_refused("cannot start", &error))?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| host_refused("cannot start", &error))?;
        let server = tokio::select! {
            opened = Server::open(&directory, &args.server, scheme) => opened?,
            _ = signals.next() => return Ok(Exit::Success),
        };
        server.announce(&directory)?;
        let stopper = server.app.stopper();
        tokio::spawn(async move {
            signals.next().await;
            stopper.stop();
        });
        match tls {
            Some(tls) => server.app.serve_tls(server.listener, tls).await,
            None => server.app.serve(server.listener).await,
        }
        Ok(Exit::Success)
    })
}

//! What the commands of a lab share: its directory, its server, a worker on this host, a client.

mod client;
mod directory;
mod host;
mod server;
mod signals;
mod worker;

pub(crate) use client::{connect, wait_for_end};
pub(crate) use directory::{LabDirectory, private_directory, write_private};
pub(crate) use host::{Host, look, worker_name};
pub(crate) use server::Server;
pub(crate) use signals::Signals;
pub(crate) use worker::{keeper, program, worker_config};

use pumice_types::{Blame as _, Cause, Failure};

use crate::{exit::Exit, terminal};

/// The end of a command: shows what went wrong.
pub(crate) fn exit(result: Result<Exit, Failure>) -> Exit {
    result.unwrap_or_else(|failure| {
        terminal::show_failure(&failure);
        Exit::of_fault(failure.fault)
    })
}

/// The host did not do what a lab needs.
pub(crate) fn host_refused(what: &str, error: &dyn std::error::Error) -> Failure {
    let mut message = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    Failure::new(Cause::HostRefused, message)
}

/// Warnings of server and worker go to standard error.
pub(crate) fn log_to_standard_error() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
}

/// What a client's request came to.
pub(crate) fn asked<T>(result: Result<T, pumice_client::ClientError>) -> Result<T, Failure> {
    result.map_err(|error| error.failure())
}

//! What the commands of a lab share: its directory, its server, a worker on this host, a client.

mod client;
mod directory;
mod host;
mod server;
mod signals;
mod worker;

pub(crate) use client::{connect, wait_for_end};
pub(crate) use directory::{LabDirectory, private_directory, private_file, write_private};
pub(crate) use host::{Host, look, worker_name};
pub(crate) use server::{Scheme, Server};
pub(crate) use signals::Signals;
pub(crate) use worker::{job_arguments, keeper, program, worker_config};

use std::{fmt::Display, io::IsTerminal as _};

use pumice_api::ProblemCode;
use pumice_client::{ClientError, LabClient};
use pumice_types::{Blame as _, Cause, Failure, JobId};

use crate::{cli::JobName, exit::Exit, terminal};

/// The end of a command: shows what went wrong.
pub(crate) fn exit(result: Result<Exit, Failure>) -> Exit {
    result.unwrap_or_else(|failure| {
        terminal::show_failure(&failure);
        match failure.cause {
            // Nothing was started.
            Cause::InvalidDefinition => Exit::BadDefinition,
            _ => Exit::of_fault(failure.fault),
        }
    })
}

/// The host did not do what a lab needs.
pub(crate) fn host_refused(what: &str, error: &dyn std::error::Error) -> Failure {
    let mut message = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Many errors of libraries tell their source's words as their own.
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    Failure::new(Cause::HostRefused, message)
}

/// Warnings of server and worker go to standard error.
pub(crate) fn log_to_standard_error() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
}

/// The number of the job that is meant: the server knows those of the nodes of a MultiNode job.
pub(crate) fn number_of(client: &LabClient, name: &JobName) -> Result<JobId, Failure> {
    match name.as_str().parse() {
        Ok(id) => Ok(id),
        Err(_) => asked_of(name, client.job_number(name.as_str())),
    }
}

/// What a client's request about a job came to.
pub(crate) fn asked_of<T>(id: impl Display, result: Result<T, ClientError>) -> Result<T, Failure> {
    match result {
        Err(error) if error.code() == Some(ProblemCode::NotFound) => {
            let message = format!("there is no job {id} in this lab");
            Err(Failure::new(Cause::HostRefused, message).hint("`pumice jobs` lists those there are"))
        }
        other => asked(other),
    }
}

/// What a client's request came to.
pub(crate) fn asked<T>(result: Result<T, ClientError>) -> Result<T, Failure> {
    result.map_err(|error| error.failure())
}

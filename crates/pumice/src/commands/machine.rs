//! `pumice machine`: hands on a job's machines, here or wherever a worker hosts them.

mod console;
mod files;

use std::{io, process::ExitCode};

use pumice_api::control::{Answer, Request};
use pumice_types::{Cause, Failure};
use serde_json::json;

use crate::{
    cli::{
        Format,
        lab::{MachineArgs, MachineCommand, OfJob},
    },
    exit::Exit,
    lab::{self, Link, ask},
    terminal::print,
};

pub(crate) fn main(args: &MachineArgs) -> ExitCode {
    let done = match &args.command {
        MachineCommand::List(of) => list(of),
        MachineCommand::Start(of) => simple(of, &Request::Start { machine: machine(of) }),
        MachineCommand::Stop(of) => simple(of, &Request::Stop { machine: machine(of) }),
        MachineCommand::Restart(of) => simple(of, &Request::Restart { machine: machine(of) }),
        MachineCommand::Release(of) => simple(of, &Request::Release),
        MachineCommand::Console { job, write, console } => {
            console::follow(job, *write, console.as_deref().unwrap_or_default())
        }
        MachineCommand::Push { job, file, path } => files::push(job, file, path),
        MachineCommand::Pull { job, path, file } => files::pull(job, path, file.as_deref()),
        MachineCommand::Exec { job, command } => return exec(job, &command.join(" ")),
    };
    lab::exit(done.map(|()| Exit::Success)).into()
}

/// The machine that is named; empty for the only one.
fn machine(of: &OfJob) -> String {
    of.machine.clone().unwrap_or_default()
}

fn unexpected() -> Failure {
    Failure::new(Cause::HostRefused, "the job answered something else than was asked")
        .hint("this pumice and the worker's may be of different versions")
}

fn simple(of: &OfJob, request: &Request) -> Result<(), Failure> {
    match ask(of, request)?.1 {
        Answer::Done => Ok(()),
        _ => Err(unexpected()),
    }
}

fn list(of: &OfJob) -> Result<(), Failure> {
    let Answer::Machines { held, machines } = ask(of, &Request::List)?.1 else { return Err(unexpected()) };
    if of.lab.format == Format::Json {
        print(&json!({"held": held, "machines": machines}).to_string());
        return Ok(());
    }
    for machine in &machines {
        let consoles: Vec<_> = machine
            .consoles
            .iter()
            .map(|console| {
                format!("{}{}", console.name, if console.is_written { " (somebody types)" } else { "" })
            })
            .collect();
        print(&format!(
            "{}: {}; consoles: {}",
            machine.name,
            if machine.runs { "runs" } else { "stopped" },
            if consoles.is_empty() { "none".to_owned() } else { consoles.join(", ") }
        ));
    }
    print(if held {
        "held: every command works"
    } else {
        "the job runs its own steps: consoles can be followed"
    });
    Ok(())
}

/// Ends with the command's own status.
fn exec(of: &OfJob, command: &str) -> ExitCode {
    let request = Request::Exec { machine: machine(of), command: command.to_owned() };
    let run = || match ask(of, &request)? {
        (Link { mut from, .. }, Answer::Ran { status }) => {
            io::copy(&mut from, &mut io::stdout()).map_err(|error| lab::broken(&error))?;
            Ok(status)
        }
        _ => Err(unexpected()),
    };
    match run() {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)),
        Err(failure) => lab::exit(Err(failure)).into(),
    }
}

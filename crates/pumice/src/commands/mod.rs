//! One file a subcommand.

pub(crate) mod backup;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod device;
pub(crate) mod doctor;
pub(crate) mod job_process;
pub(crate) mod jobs;
pub(crate) mod lava_run;
pub(crate) mod logs;
pub(crate) mod lsp;
pub(crate) mod machine;
pub(crate) mod model;
mod model_program;
pub(crate) mod plan;
pub(crate) mod queue;
pub(crate) mod reserve;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod shell;
pub(crate) mod show;
pub(crate) mod submit;
pub(crate) mod tokens;
pub(crate) mod up;
pub(crate) mod uploads;
pub(crate) mod why;
pub(crate) mod worker;

use std::{ffi::OsString, process::ExitCode};

use crate::{cli::lab::LabCommand, lab::program};

/// What there is to do with a lab.
pub(crate) fn lab(command: &LabCommand) -> ExitCode {
    let exit = match command {
        LabCommand::Up(args) => up::main(args),
        LabCommand::Server(args) => server::main(args),
        LabCommand::Backup(args) => backup::backup(args),
        LabCommand::Restore(args) => backup::restore(args),
        LabCommand::Worker(args) => worker::main(args),
        LabCommand::Submit(args) => submit::main(args),
        LabCommand::Jobs(args) => jobs::main(args),
        LabCommand::Queue(args) => queue::main(args),
        LabCommand::Show(args) => show::main(args),
        LabCommand::Logs(args) => logs::main(args),
        LabCommand::Results(args) => results::main(args),
        LabCommand::Compare(args) => compare::main(args),
        LabCommand::Cancel(args) => cancel::main(args),
        LabCommand::Resubmit(args) => submit::again(args),
        LabCommand::Why(args) => why::main(args),
        LabCommand::Reserve(args) => reserve::main(args),
        LabCommand::Devices(args) => jobs::devices(args),
        LabCommand::Workers(args) => jobs::workers(args),
        LabCommand::Uploads(args) => uploads::main(args),
        LabCommand::Tokens(args) => tokens::main(args),
        LabCommand::Job { server, directory } => return job_process::main(directory, server),
        LabCommand::Keep { directory } => {
            return pumice_worker::keeper_main(directory, vec![program(), OsString::from("__watch")]);
        }
        LabCommand::LavaRun(args) => return lava_run::main(args),
    };
    exit.into()
}

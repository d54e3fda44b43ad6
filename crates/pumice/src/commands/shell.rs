//! `pumice completions` and `pumice manual`: what a shell and `man` know of the command line.

use std::{io, path::Path};

use clap::Command;
use clap_complete::Shell;
use pumice_types::Failure;

use crate::{
    exit::Exit,
    lab::{self, host_refused},
    terminal::print,
};

/// Prints a shell's completions.
pub(crate) fn completions(command: &Command, shell: Shell) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(command), "pumice", &mut text);
    print(String::from_utf8_lossy(&text).trim_end());
    Exit::Success
}

/// The same without the commands that are hidden: `clap_complete` offers those too.
fn shown(command: &Command) -> Command {
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("pumice")
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments().cloned())
        .subcommands(commands)
}

/// Writes a manual page for the program and each of its commands into a directory.
pub(crate) fn manual(command: Command, directory: &Path) -> Exit {
    let written =
        fs_err::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    lab::exit(written.map(|()| Exit::Success).map_err(|error: io::Error| refused(directory, &error)))
}

fn refused(directory: &Path, error: &io::Error) -> Failure {
    host_refused(&format!("cannot write into `{}`", directory.display()), error)
}

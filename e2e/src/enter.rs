//! Programs in a namespace that another process holds.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::Running;

/// `command` in the namespace of `holder` that `kind` names in nsenter's words (`--net`, `--mount`), with its environment and
/// directory.
pub(crate) fn entered(nsenter: &Path, kind: &str, holder: &Running, command: &Command) -> Command {
    let mut there = Command::new(nsenter);
    let holder = holder.id().to_string();
    there.args([kind, "--target", &holder, "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => there.env(name, value),
            None => there.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        there.current_dir(directory);
    }
    there.stdin(Stdio::null());
    there
}

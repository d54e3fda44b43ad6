//! `command` blocks: the commands that a device offers by name (lava-compat 1.7).

use pumice_plan::{Command, CommandAction};
use pumice_process::Command as Process;
use pumice_types::{Blame as _, Cause, Failure, Fault};
use serde_json::json;

use crate::{cx::StepCx, host::RunHost};

/// How much of a command's output goes to the log.
const OUTPUT_BYTES: usize = 64 << 10;

/// Runs an argument vector of the device on this host.
pub(crate) async fn run_on_host(
    name: &str,
    argv: &[String],
    host: &RunHost,
    cx: &StepCx,
) -> Result<(), Failure> {
    let Some(command) = Process::from_argv(argv.iter().cloned()) else { return Ok(()) };
    cx.report().info(format!("running the command `{name}` of the device"));
    let command =
        command.directory(&host.work_dir).envs([("PATH", host.search_path.as_str()), ("LC_ALL", "C")]);
    let output =
        host.guard.output(command, OUTPUT_BYTES, cx.deadline()).await.map_err(|error| error.failure())?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        cx.report().debug(line);
    }
    if output.exit.status.is_success() {
        return Ok(());
    }
    let message = format!("the command `{name}` of the device failed: it {}", output.exit.status);
    let said = cx.report().masked(&String::from_utf8_lossy(&output.stderr));
    Err(Failure::new(Cause::CommandFailed, message).blame(Fault::Infrastructure).evidence(name, said))
}

/// What has to be run in clean-up after this command.
pub(crate) fn undo_of(plan: &Command) -> Option<Undo> {
    match &plan.action {
        CommandAction::Host { undo, .. } if !undo.is_empty() => {
            Some(Undo { name: plan.name.clone(), argv: undo.clone() })
        }
        _ => None,
    }
}

/// A command that takes another one back.
pub(crate) struct Undo {
    name: String,
    argv: Vec<String>,
}

impl Undo {
    /// Runs it.
    pub(crate) async fn run(&self, host: &RunHost, cx: &StepCx) -> Result<(), Failure> {
        run_on_host(&format!("{} (undo)", self.name), &self.argv, host, cx).await
    }
}

/// Notes what was done.
pub(crate) fn record(plan: &Command, cx: &StepCx) {
    cx.record(json!({ "command": plan.name }));
}

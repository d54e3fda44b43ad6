//! Runs single command lines in the guest's shell.

use std::sync::LazyLock;

use pumice_console::{Console, Pattern, Patterns};
use pumice_record::LogLevel;
use pumice_types::{Blame as _, Cause, Failure};

use super::Booted;
use crate::cx::StepCx;

/// Prints the status of the line before. It is split so that the echo of the line is not taken for the answer.
const ASK: &str = r"printf '<pumice-''status %s>\n' $?";

/// What [`ASK`] prints.
static STATUS: LazyLock<Result<Patterns, String>> = LazyLock::new(|| {
    Pattern::python(r"<pumice-status (\d{1,3})>").map(Patterns::from).map_err(|error| error.to_string())
});

/// How a line ended.
pub(crate) struct Ran {
    /// Its exit status.
    pub(crate) status: u32,
    /// What the console said last, for a message.
    pub(crate) said: String,
}

/// Types a line into a shell and waits until it is over.
pub(crate) async fn run_line(
    console: &mut Console,
    prompts: &Patterns,
    line: &str,
    cx: &StepCx,
) -> Result<Ran, Failure> {
    let answer = STATUS.as_ref().map_err(|error| Failure::new(Cause::Bug, error.clone()))?;
    super::type_line(console, line, cx).await?;
    console.expect(prompts, cx.deadline()).await.map_err(|error| error.failure())?;
    let said = console.tail(800);
    console.send_line(ASK, cx.deadline()).await.map_err(|error| error.failure())?;
    let found = console.expect(answer, cx.deadline()).await.map_err(|error| error.failure())?;
    let digits = found.group(1).unwrap_or_default();
    let status = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(255);
    console.expect(prompts, cx.deadline()).await.map_err(|error| error.failure())?;
    cx.report().log(LogLevel::Debug, format!("the line ended with status {status}"));
    Ok(Ran { status, said })
}

impl Booted {
    /// Types a line into the shell, waits until it is over, and fails when the line did.
    pub(crate) async fn must_run(&mut self, line: &str, cx: &StepCx) -> Result<(), Failure> {
        let Some(prompts) = self.prompts.clone() else {
            return Err(Failure::new(Cause::NoPrompt, "no shell of the guest is known to type into")
                .hint("give the boot block `prompts`"));
        };
        let ran = self.with_console(async |console| run_line(console, &prompts, line, cx).await).await?;
        if ran.status == 0 {
            return Ok(());
        }
        let message = format!("`{line}` failed in the guest with status {}", ran.status);
        Err(Failure::new(Cause::CommandFailed, message).evidence(self.console.name(), ran.said))
    }
}

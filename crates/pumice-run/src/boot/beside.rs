//! Commands that run beside a model, in its container, and become the console (lava-compat 10.2, `commands`).

use pumice_plan::boot::Beside;
use pumice_platform::COMMANDS;
use pumice_types::{Blame as _, Cause, Failure};

use super::Booted;
use crate::cx::StepCx;

/// Starts them. Nobody waits for their end: what they print is what the tests read from here on. The console that the
/// machine had is drained for as long as it runs.
pub(super) async fn run(plan: &Beside, booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    cx.step(&plan.scope, Cause::ContainerFailed, async |cx| {
        // In one shell, as LAVA runs them: one that fails is the last, and what one exports the next sees.
        let script = plan.commands.join(" && ");
        cx.report().info(format!("running in the model's container: {script}"));
        let words = ["sh", "-c", &script].map(str::to_owned);
        let console = booted.machine.run_inside(&words).map_err(|error| error.failure())?;
        booted.silence.add(&console);
        // No kernel speaks on this console.
        booted.minds_kernel = false;
        let before = std::mem::replace(&mut booted.console, console);
        booted.console.mind_fatal_watches(false);
        booted.others.push(before);
        cx.record(serde_json::json!({ "console": COMMANDS }));
        Ok(())
    })
    .await
}

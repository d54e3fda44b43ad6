//! What runs beside a model, in its container, and becomes the console (lava-compat 10.2, `commands` and `erpc_app`).

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use pumice_plan::boot::{Beside, BesideWhat};
use pumice_platform::COMMANDS;
use pumice_types::{Blame as _, Cause, Failure};

use super::Booted;
use crate::{cx::StepCx, deploy::Deployed};

/// The console of a file that runs beside a model.
const PROGRAM: &str = "program";

/// Starts it. Nobody waits for its end: what it prints is what the tests read from here on. The console that the machine
/// had is drained for as long as it runs.
pub(super) async fn run(
    plan: &Beside,
    deployed: &Deployed,
    booted: &mut Booted,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(&plan.scope, Cause::ContainerFailed, async |cx| {
        let (name, words) = match &plan.what {
            // In one shell, as LAVA runs them: one that fails is the last, and what one exports the next sees.
            BesideWhat::Commands(commands) => {
                (COMMANDS, ["sh", "-c", &commands.join(" && ")].map(str::to_owned).to_vec())
            }
            BesideWhat::File(label) => {
                (PROGRAM, vec![program(label, deployed, &booted.machine.launch().work_dir)?])
            }
        };
        let shown = words.last().map_or("", String::as_str);
        cx.report().info(format!("running in the model's container: {shown}"));
        let console = booted.machine.run_inside(name, &words).map_err(|error| error.failure())?;
        booted.silence.add(&console);
        // No kernel speaks on this console.
        booted.minds_kernel = false;
        let before = std::mem::replace(&mut booted.console, console);
        booted.console.mind_fatal_watches(false);
        booted.others.push(before);
        cx.record(serde_json::json!({ "console": name }));
        Ok(())
    })
    .await
}

/// A deployed file as a program, at a place that the container sees: what was downloaded may be shared with other jobs,
/// and nobody may execute it there.
fn program(label: &str, deployed: &Deployed, work_dir: &Path) -> Result<String, Failure> {
    let mut files = deployed.files.iter();
    let Some((_, file)) = files.find(|(known, _)| known.eq_ignore_ascii_case(label)) else {
        let message = format!("no deployed file has the label `{label}`");
        return Err(Failure::new(Cause::InvalidDefinition, message));
    };
    let directory = work_dir.join("beside");
    let path = directory.join(file.file_name().unwrap_or_else(|| "program".as_ref()));
    let copied = || -> io::Result<()> {
        fs::create_dir_all(&directory)?;
        fs::copy(file, &path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    };
    copied().map_err(|error| {
        let full = error.kind() == io::ErrorKind::StorageFull;
        let cause = if full { Cause::DiskFull } else { Cause::HostRefused };
        Failure::new(cause, format!("cannot make `{}`: {error}", path.display()))
    })?;
    Ok(path.to_string_lossy().into_owned())
}

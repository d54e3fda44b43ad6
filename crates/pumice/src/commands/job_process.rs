//! The process of one job of a worker: `docs/protocol/job-directory.md` from the job's side.

use std::{fs, path::Path, process::ExitCode};

use clap::Parser as _;
use pumice_api::worker::Outcome;

use super::lava_run;
use crate::{
    cli::{LavaRunArgs, lab::JobServer},
    terminal::print_error,
};

/// Runs the job in `directory` and leaves its outcome there. The exit code says nothing to the worker.
pub(crate) fn main(directory: &Path, server: &JobServer) -> ExitCode {
    // `ID-FENCE`, as the document says.
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let id = name.split_once('-').map_or(&*name, |(id, _)| id);
    let mut words = vec!["lava-run".into()];
    for (option, file) in [
        ("--device", "device.yaml"),
        ("--dispatcher", "dispatcher.yaml"),
        ("--env-dut", "env-dut.yaml"),
        ("--output-dir", "output"),
    ] {
        words.extend([option.into(), directory.join(file).into_os_string()]);
    }
    words.extend(["--job-id".into(), id.into(), directory.join("job.yaml").into_os_string()]);
    let args = match LavaRunArgs::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => {
            print_error(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let outcome = match lava_run::run(&args, lava_run::Echo::Nowhere, Some(directory), Some(server)) {
        Ok(outcome) => Outcome { verdict: outcome.verdict, failure: outcome.failure },
        Err(failure) => {
            print_error(&failure.message);
            Outcome::incomplete(failure)
        }
    };
    let written = write(&args.output_dir, &outcome).or_else(|error| {
        if error.kind() != std::io::ErrorKind::StorageFull {
            return Err(error);
        }
        // The worker has kept room for this. Where it did not, the second try fails as the first.
        drop(fs::remove_file(directory.join("room")));
        write(&args.output_dir, &outcome)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("cannot write the outcome: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Written whole or not at all.
fn write(output: &Path, outcome: &Outcome) -> std::io::Result<()> {
    let new = output.join(".outcome.json.new");
    fs::write(&new, serde_json::to_vec(outcome)?)?;
    fs::rename(new, output.join("outcome.json"))
}

//! The demo: real kernels on two virtual platforms, from nothing to a table of results.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::{
    guests::{self, Freshness},
    program::{self, command},
    workspace::{root, say, target},
};

/// The jobs, in the order they are shown.
const JOBS: [&str; 2] = ["cortex-a15", "arm64-virt"];

/// Sets up, builds, and runs the jobs in `demo/`, each to its own directory.
pub(crate) fn run() -> Result<()> {
    guests::run(Freshness::AsTheyAre)?;
    say("building pumice");
    program::run(&mut command("cargo", ["build", "--release", "--locked", "--package", "pumice"]))?;
    let pumice = built("release/pumice")?;
    let mut failed = Vec::new();
    for name in JOBS {
        let output = target().join("demo").join(name);
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        fs::create_dir_all(&output)?;
        let job = output.join("job.yaml");
        fs::write(&job, definition(name)?)?;
        say(&format!("demo/{name}.yaml"));
        let mut run = command(&pumice, ["run", "--device-type", "qemu", "--output-dir"]);
        if program::run(run.arg(&output).arg(&job)).is_err() {
            failed.push(name);
        }
        say(&format!("log, results and transcripts of {name}: {}", output.display()));
    }
    if !failed.is_empty() {
        bail!("not passed: {}", failed.join(", "));
    }
    Ok(())
}

/// A job with the path of the guests in it.
fn definition(name: &str) -> Result<String> {
    let text = fs::read_to_string(root().join("demo").join(name).with_extension("yaml"))?;
    Ok(text.replace("@GUESTS@", &target().join("guests").to_string_lossy()))
}

/// A program where cargo puts it, also when `CARGO_TARGET_DIR` says another place.
fn built(name: &str) -> Result<std::path::PathBuf> {
    let directory =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(target, |path| root().join(Path::new(&path)));
    let path = directory.join(name);
    path.exists().then_some(path).with_context(|| format!("cargo built no {name} in {}", directory.display()))
}

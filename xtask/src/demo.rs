//! The demo: real kernels on three virtual platforms, from nothing to a table of results.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::{
    guests::{self, Freshness},
    library_tests,
    program::{self, command},
    setup,
    workspace::{root, say, target},
};

/// The jobs, in the order they are shown, each with the device type it runs on.
const JOBS: [(&str, &str); 3] = [("cortex-a15", "qemu"), ("arm64-virt", "qemu"), ("stream-a15x1", "fvp")];

/// Sets up, builds, and runs the jobs in `demo/`, each to its own directory.
pub(crate) fn run() -> Result<()> {
    setup::programs()?;
    guests::run(Freshness::AsTheyAre)?;
    say("building pumice");
    let build = ["build", "--release", "--locked", "--package", "pumice", "--package", "model-standin"];
    program::run(&mut command("cargo", build))?;
    let pumice = built("release/pumice")?;
    let path = stand_in(&built("release/model-standin")?)?;
    library_tests::run()?;
    let mut failed = Vec::new();
    for (name, device_type) in JOBS {
        let output = target().join("demo").join(name);
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        fs::create_dir_all(&output)?;
        let job = output.join("job.yaml");
        fs::write(&job, definition(name)?)?;
        say(&format!("demo/{name}.yaml"));
        let mut run = command(&pumice, ["run", "--device-type", device_type, "--output-dir"]);
        if program::run(run.arg(&output).arg(&job).env("PATH", &path)).is_err() {
            failed.push(name);
        }
        say(&format!("log, results and transcripts of {name}: {}", output.display()));
    }
    if !failed.is_empty() {
        bail!("not passed: {}", failed.join(", "));
    }
    Ok(())
}

/// Puts the stand-in on `PATH` under the names of the models, behind what is there: a model of one's own comes first.
/// Its boot-wrapper is made beside it.
fn stand_in(program: &Path) -> Result<std::ffi::OsString> {
    let demo = target().join("demo");
    let links = demo.join("models");
    fs::create_dir_all(&links)?;
    program::read(&mut command(program, [Path::new("links"), &links]))?;
    let axf = demo.join("linux-system-semi.axf");
    if axf.exists() {
        fs::remove_file(&axf)?;
    }
    program::read(&mut command(program, [Path::new("axf"), &axf]))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::env::split_paths(&path).chain([links]))?)
}

/// A job with the places of guests and tests in it.
fn definition(name: &str) -> Result<String> {
    let text = fs::read_to_string(root().join("demo").join(name).with_extension("yaml"))?;
    let places = [("@GUESTS@", "guests"), ("@TESTS@", "tests"), ("@DEMO@", "demo")];
    let place =
        |text: String, (word, name): (&str, &str)| text.replace(word, &target().join(name).to_string_lossy());
    Ok(places.into_iter().fold(text, place))
}

/// A program where cargo puts it, also when `CARGO_TARGET_DIR` says another place.
fn built(name: &str) -> Result<std::path::PathBuf> {
    let directory =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(target, |path| root().join(Path::new(&path)));
    let path = directory.join(name);
    path.exists().then_some(path).with_context(|| format!("cargo built no {name} in {}", directory.display()))
}

//! Everything CI checks.

use std::process::Command;

use anyhow::Result;

use crate::{
    guests::{self, Freshness},
    program::{self, command},
    setup,
    workspace::{root, say},
};

/// Seconds each fuzz target runs: enough to meet again what once failed, kept in its corpus.
const FUZZ_SECONDS: u32 = 10;

/// Cheap checks first; the test runner last, so that its summary is the last thing printed.
pub(crate) fn run() -> Result<()> {
    guests::run(Freshness::AsTheyAre)?;
    say("format");
    program::run(&mut command("cargo", ["fmt", "--all", "--check"]))?;
    say("lints");
    let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    program::run(&mut cargo(&lints))?;
    dependencies()?;
    fuzz()?;
    say("tests");
    program::run(&mut runner())
}

/// The licences and sources of dependencies, where cargo-deny is installed. Nothing is fetched for it.
fn dependencies() -> Result<()> {
    if !program::succeeds(&mut command("cargo", ["deny", "--version"])) {
        say("dependencies: skipped, cargo-deny is not installed");
        return Ok(());
    }
    program::run(&mut command("cargo", ["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

/// A short run of every fuzz target, where cargo-fuzz is installed. It needs the compiler's unstable flags,
/// which the one toolchain there is allows when told so.
fn fuzz() -> Result<()> {
    if !root().join("fuzz/Cargo.toml").exists() {
        return Ok(());
    }
    let listed = program::read(command("cargo", ["fuzz", "list"]).env("RUSTC_BOOTSTRAP", "1"));
    let Ok(targets) = listed else {
        say("fuzzing: skipped, cargo-fuzz is not installed");
        return Ok(());
    };
    for target in targets.lines() {
        say(&format!("fuzzing {target} for {FUZZ_SECONDS} seconds"));
        let limit = format!("-max_total_time={FUZZ_SECONDS}");
        let arguments = ["fuzz", "run", target, "--", &limit, "-verbosity=0"];
        program::run(cargo(&arguments).env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}

fn runner() -> Command {
    if setup::has_nextest() {
        cargo(&["nextest", "run", "--workspace", "--locked", "--profile", "ci"])
    } else {
        cargo(&["test", "--workspace", "--locked", "--no-fail-fast"])
    }
}

/// Clippy and the tests share one target directory and one set of flags. On CI nothing is built twice, so that
/// what incremental builds keep is only in the way.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = command("cargo", arguments.iter().copied());
    if std::env::var_os("CI").is_some() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

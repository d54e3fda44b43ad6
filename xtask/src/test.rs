//! Everything CI checks.

use std::process::Command;

use anyhow::Result;

use crate::{
    fuzz,
    guests::{self, Freshness},
    program::{self, command},
    setup,
    workspace::say,
};

/// Cheap checks first; the test runner last, so that its summary is the last thing printed.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    guests::run(Freshness::AsTheyAre)?;
    say("format");
    program::run(&mut command("cargo", ["fmt", "--all", "--check"]))?;
    say("lints");
    // With the features that the tests leave out, so that they keep building.
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "pumice/s3",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ];
    program::run(&mut cargo(&lints))?;
    dependencies()?;
    fuzz::short()?;
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

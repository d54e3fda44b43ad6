//! Everything CI checks.

use std::process::Command;

use anyhow::Result;

use crate::{
    guests::{self, Freshness},
    program::{self, command},
    setup,
    workspace::{root, say},
};

/// Cheap checks first; the test runner last, so that its summary is the last thing printed.
pub(crate) fn run() -> Result<()> {
    guests::run(Freshness::AsTheyAre)?;
    say("format");
    program::run(&mut command("cargo", ["fmt", "--all", "--check"]))?;
    say("lints");
    program::run(&mut checked("cargo", &["clippy", "--workspace", "--all-targets", "--locked"]))?;
    dependencies()?;
    say("tests");
    program::run(&mut runner())
}

/// The licences and advisories of dependencies, where cargo-deny is installed. Nothing is fetched for it.
fn dependencies() -> Result<()> {
    if !program::succeeds(&mut command("cargo", ["deny", "--version"])) {
        say("dependencies: skipped, cargo-deny is not installed");
        return Ok(());
    }
    program::run(&mut command("cargo", ["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

fn runner() -> Command {
    if setup::has_nextest() {
        checked("cargo", &["nextest", "run", "--workspace", "--locked", "--profile", "ci"])
    } else {
        checked("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"])
    }
}

/// With warnings as errors. Clippy and the tests share one target directory and one set of flags.
fn checked(program: &str, arguments: &[&str]) -> Command {
    let mut command = command(program, arguments.iter().copied());
    command.env("CARGO_INCREMENTAL", "0").env("CARGO_TERM_COLOR", "always").current_dir(root());
    command
}

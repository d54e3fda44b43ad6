//! The demo: real kernels on two virtual platforms, from nothing to a table of results.

use anyhow::Result;

use crate::{
    guests::{self, Freshness},
    program::{self, command},
    workspace::say,
};

/// Sets up, builds and runs the jobs in `demo/`.
pub(crate) fn run() -> Result<()> {
    guests::run(Freshness::AsTheyAre)?;
    say("building pumice");
    program::run(&mut command("cargo", ["build", "--release", "--locked", "--package", "pumice"]))
}

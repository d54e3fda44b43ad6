//! `pumice`: puts an operating-system image on a virtual platform and says whether it works.
//!
//! A thin main. `cli` holds the words of the command line, `commands` one file a subcommand, `exit` the codes.
//! All printing is done in this crate, and no logic.

mod cli;
mod commands;
mod config;
mod diagnostics;
mod execute;
mod exit;
mod file_uri;
mod group;
mod hands;
mod host;
mod input;
mod kind;
mod lab;
mod library;
mod model_job;
mod models;
mod once;
mod provenance;
mod sarif;
mod terminal;
mod upload;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

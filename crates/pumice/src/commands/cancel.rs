//! `pumice cancel`: ends a job.

use pumice_types::JobId;
use serde_json::json;

use crate::{
    cli::{Format, lab::JobArgs},
    exit::Exit,
    lab::{self, asked, connect},
    terminal::{print, print_error},
};

pub(crate) fn main(args: &JobArgs) -> Exit {
    let ask = || {
        asked(connect(&args.lab)?.cancel(JobId(args.id)))?;
        match args.lab.format {
            Format::Text => print_error(&format!("job {} is being cancelled", args.id)),
            Format::Json => print(&json!({ "cancelled": args.id }).to_string()),
        }
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

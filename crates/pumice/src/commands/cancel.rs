//! `pumice cancel`: ends a job.

use serde_json::json;

use crate::{
    cli::{Format, lab::JobArgs},
    exit::Exit,
    lab::{self, asked_of, connect, number_of},
    terminal::{print, print_error},
};

pub(crate) fn main(args: &JobArgs) -> Exit {
    let ask = || {
        let client = connect(&args.lab)?;
        let id = number_of(&client, &args.id)?;
        let job = asked_of(id, client.job(id))?;
        asked_of(id, client.cancel(id))?;
        match args.lab.format {
            Format::Text if job.is_finished() => {
                print_error(&format!("job {id} has ended already: {}", job.health));
            }
            Format::Text => print_error(&format!("job {} is being cancelled", args.id)),
            Format::Json => print(&json!({ "cancelled": id }).to_string()),
        }
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

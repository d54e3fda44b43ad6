//! `pumice show`: one job.

use pumice_types::Failure;
use serde_json::json;

use crate::{
    cli::{Format, lab::JobArgs},
    exit::Exit,
    lab::{self, asked, asked_of, connect, number_of},
    terminal::{self, print},
};

pub(crate) fn main(args: &JobArgs) -> Exit {
    lab::exit(show(args))
}

fn show(args: &JobArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let id = number_of(&client, &args.id)?;
    let job = asked_of(id, client.job(id))?;
    if args.lab.format == Format::Json {
        print(&json!(job).to_string());
        return Ok(Exit::Success);
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    for (what, value) in [
        ("job", job.id.to_string()),
        ("name", text(&job.description)),
        ("state", job.state.clone()),
        ("health", job.health.clone()),
        ("submitter", job.submitter.clone()),
        ("device type", text(&job.requested_device_type)),
        ("device", text(&job.actual_device)),
        ("priority", job.priority.to_string()),
        ("submitted", text(&job.submit_time)),
        ("started", text(&job.start_time)),
        ("ended", text(&job.end_time)),
        ("comment", text(&job.failure_comment)),
    ] {
        print(&format!("{what:12} {value}"));
    }
    if job.is_finished() && job.health != "Complete" {
        asked(client.why(id))?.failure.iter().for_each(terminal::show_failure);
    }
    Ok(Exit::Success)
}

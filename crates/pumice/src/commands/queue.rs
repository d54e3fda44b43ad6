//! `pumice queue`: the jobs that wait, and what each waits for.

use pumice_api::people::Why;
use pumice_client::Job;
use pumice_types::Failure;
use serde::Serialize;
use serde_json::json;

use super::why::devices;
use crate::{
    cli::{Format, lab::QueueArgs},
    exit::Exit,
    lab::{self, asked, connect},
    terminal::{print, print_error},
};

/// A job that waits.
#[derive(Debug, Serialize)]
struct Waiting {
    #[serde(flatten)]
    job: Job,
    why: Why,
}

pub(crate) fn main(args: &QueueArgs) -> Exit {
    lab::exit(queue(args))
}

fn queue(args: &QueueArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let page = asked(client.jobs(&[("state", "Submitted"), ("ordering", "id")], args.limit, 0))?;
    let total = page.count;
    let waiting = page.results.into_iter().map(|job| {
        let why = asked(client.why(job.id))?;
        Ok(Waiting { job, why })
    });
    let waiting = waiting.collect::<Result<Vec<_>, Failure>>()?;
    if args.lab.format == Format::Json {
        print(&json!(waiting).to_string());
        return Ok(Exit::Success);
    }
    if waiting.is_empty() {
        print_error("no job waits");
    }
    for Waiting { job, why } in &waiting {
        let kind = job.requested_device_type.as_deref().unwrap_or("-");
        let name = job.description.as_deref().unwrap_or_default();
        let line = format!("{:>6}  {:>3} {kind:20} {:12} {name}", job.id.0, job.priority, job.submitter);
        print(line.trim_end());
        for obstacle in &why.obstacles {
            print(&format!("        {}{}: {}", obstacle.what, devices(obstacle.devices), obstacle.remedy));
        }
    }
    if total > waiting.len() as u64 {
        print(&format!("{total} jobs wait in all"));
    }
    Ok(Exit::Success)
}

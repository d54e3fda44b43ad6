//! `pumice jobs`, `devices` and `workers`: what a lab has.

use pumice_types::Failure;
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::{
        Format,
        lab::{JobsArgs, LabArgs},
    },
    exit::Exit,
    lab::{self, asked, connect},
    terminal::print,
};

/// The most devices or workers that are listed.
const MANY: u32 = 1000;

pub(crate) fn main(args: &JobsArgs) -> Exit {
    lab::exit(jobs(args))
}

fn jobs(args: &JobsArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let state = args.state_is.as_deref().map(|state| ("state", state));
    let page = asked(client.jobs(state.as_slice(), args.limit, 0))?;
    list(&page.results, args.lab.format, |job| {
        let device = job.actual_device.as_deref().or(job.requested_device_type.as_deref()).unwrap_or("-");
        let name = job.description.as_deref().unwrap_or_default();
        format!("{:>6}  {:10} {:10} {device:20} {:12} {name}", job.id.0, job.state, job.health, job.submitter)
    });
    Ok(Exit::Success)
}

/// `pumice devices`.
pub(crate) fn devices(args: &LabArgs) -> Exit {
    let ask = || {
        let page = asked(connect(args)?.devices(false, MANY, 0))?;
        list(&page.results, args.format, |device| {
            let worker = device.worker_host.as_deref().unwrap_or("-");
            let tags = device.tags.join(",");
            format!(
                "{:20} {:16} {:10} {:12} {worker:16} {tags}",
                device.hostname, device.device_type, device.state, device.health
            )
        });
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

/// `pumice workers`.
pub(crate) fn workers(args: &LabArgs) -> Exit {
    let ask = || {
        let page = asked(connect(args)?.workers(MANY, 0))?;
        list(&page.results, args.format, |worker| {
            let version = worker.version.as_deref().unwrap_or("-");
            format!("{:20} {:10} {:12} {version}", worker.hostname, worker.state, worker.health)
        });
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

fn list<T: Serialize>(rows: &[T], format: Format, line: impl Fn(&T) -> String) {
    match format {
        Format::Json => print(&json!(rows).to_string()),
        Format::Text => rows.iter().for_each(|row| print(line(row).trim_end())),
    }
}

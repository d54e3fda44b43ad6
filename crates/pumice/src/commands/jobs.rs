//! `pumice jobs`, `devices` and `workers`: what a lab has.

use std::collections::BTreeMap;

use pumice_client::LabClient;
use pumice_types::{Cause, Failure};
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
    let mut filters: Vec<_> = args.state_is.as_deref().map(|state| ("state", state)).into_iter().collect();
    for filter in &args.filters {
        filters.push(filter.split_once('=').ok_or_else(|| {
            Failure::new(Cause::InvalidDefinition, format!("`{filter}` is not FIELD=VALUE"))
        })?);
    }
    let page = asked(client.jobs(&filters, args.limit, 0))?;
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
        let client = connect(args)?;
        let page = asked(client.devices(false, MANY, 0))?;
        let tag_names = tag_names(&client)?;
        list(&page.results, args.format, |device| {
            let worker = device.worker_host.as_deref().unwrap_or("-");
            let known = |key: &i64| tag_names.get(key).map_or("?", String::as_str);
            let tags = device.tags.iter().map(known).collect::<Vec<_>>().join(",");
            format!(
                "{:20} {:16} {:10} {:12} {worker:16} {tags}",
                device.hostname, device.device_type, device.state, device.health
            )
        });
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

fn tag_names(client: &LabClient) -> Result<BTreeMap<i64, String>, Failure> {
    let tags = asked(client.tags(MANY, 0))?.results;
    Ok(tags.into_iter().map(|tag| (tag.id, tag.name)).collect())
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

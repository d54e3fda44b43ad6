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
    terminal::{Table, print, print_error},
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
    let row = |job: &pumice_client::Job| {
        let device = job.actual_device.as_deref().or(job.requested_device_type.as_deref()).unwrap_or("-");
        let name = job.description.clone().unwrap_or_default();
        let (state, health) = (job.state.clone(), job.health.clone());
        [job.id.to_string(), state, health, device.to_owned(), job.submitter.clone(), name]
    };
    let heads = ["job", "state", "health", "device", "submitter", "name"];
    let none = if filters.is_empty() { "no job was submitted yet" } else { "no such jobs" };
    list(&page.results, args.lab.format, heads, row, none);
    let shown = page.results.len() as u64;
    if args.lab.format == Format::Text && page.count > shown {
        print_error(&format!("{shown} of {} jobs; --limit shows more", page.count));
    }
    Ok(Exit::Success)
}

/// `pumice devices`.
pub(crate) fn devices(args: &LabArgs) -> Exit {
    let ask = || {
        let client = connect(args)?;
        let page = asked(client.devices(false, MANY, 0))?;
        let tag_names = tag_names(&client)?;
        let row = |device: &pumice_client::Device| {
            let worker = device.worker_host.clone().unwrap_or_else(|| "-".to_owned());
            let known = |key: &i64| tag_names.get(key).map_or("?", String::as_str);
            let tags = device.tags.iter().map(known).collect::<Vec<_>>().join(",");
            let (state, health) = (device.state.clone(), device.health.clone());
            [device.hostname.clone(), device.device_type.clone(), state, health, worker, tags]
        };
        let heads = ["device", "type", "state", "health", "worker", "tags"];
        let none = "no devices: a worker offers those of the simulators on its machine (`pumice worker`, `pumice doctor`)";
        list(&page.results, args.format, heads, row, none);
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
        let row = |worker: &pumice_client::Worker| {
            let version = worker.version.clone().unwrap_or_else(|| "-".to_owned());
            [worker.hostname.clone(), worker.state.clone(), worker.health.clone(), version]
        };
        list(
            &page.results,
            args.format,
            ["worker", "state", "health", "version"],
            row,
            "no workers: `pumice worker` adds one",
        );
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

fn list<T: Serialize, const COLUMNS: usize>(
    things: &[T],
    format: Format,
    heads: [&'static str; COLUMNS],
    row: impl Fn(&T) -> [String; COLUMNS],
    none: &str,
) {
    if format == Format::Json {
        print(&json!(things).to_string());
        return;
    }
    let mut table = Table::new(heads);
    for thing in things {
        table.row(row(thing));
    }
    table.print(none);
}

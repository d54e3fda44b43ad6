//! `pumice reserve`: a machine for a person.

use std::{fs, path::Path, thread, time::Duration};

use pumice_api::{
    control::{Done, Wish},
    people::Reservation,
};
use pumice_types::{Cause, Failure, JobId};
use serde_json::json;

use crate::{
    cli::{
        Format,
        lab::{LabArgs, ReserveArgs},
    },
    exit::Exit,
    hands,
    lab::{self, asked, connect, host_refused},
    model_job,
    terminal::{print, print_error},
    upload,
};

/// How often it is looked whether a machine is there yet.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn main(args: &ReserveArgs) -> Exit {
    lab::exit(reserve(args))
}

fn reserve(args: &ReserveArgs) -> Result<Exit, Failure> {
    // Directories of the command line are packed here.
    let scratch = tempfile::tempdir().map_err(|error| host_refused("cannot make a directory", &error))?;
    let mut definition = definition(args, scratch.path())?;
    if args.model.print_job {
        print(definition.unwrap_or_default().trim_end());
        return Ok(Exit::Success);
    }
    let client = connect(&args.lab)?;
    if let Some(text) = definition.as_mut().filter(|_| args.upload || args.job.is_none()) {
        let directory = args.job.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
        *text = upload::send_named(&client, text, directory, args.lab.format)?;
    }
    let reservation = Reservation {
        model: args.model.model.clone().unwrap_or_default(),
        tags: args.tags.clone(),
        seconds: args.time.as_secs(),
        definition,
    };
    let reserved = asked(client.reserve(&reservation))?;
    match args.lab.format {
        Format::Text => {
            print(&format!(
                "job {} reserves it; `pumice machine list {0}` shows it once it is running",
                reserved.job
            ));
        }
        Format::Json => print(&json!({ "job": reserved.job }).to_string()),
    }
    if !args.wait {
        return Ok(Exit::Success);
    }
    loop {
        let job = asked(client.job(reserved.job))?;
        if job.is_finished() {
            print_error(&format!("job {} ended: {}", reserved.job, job.health));
            return Ok(Exit::JobFailed);
        }
        if job.state == "Running" && is_held(reserved.job, &args.lab) {
            return Ok(Exit::Success);
        }
        thread::sleep(LOOK);
    }
}

/// What is to be booted: a job's text, or one that is made of a model and its images. `None` leaves it to the lab.
fn definition(args: &ReserveArgs, scratch: &Path) -> Result<Option<String>, Failure> {
    if let Some(path) = &args.job {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::new(Cause::InvalidDefinition, format!("cannot read `{}`: {error}", path.display()))
        })?;
        if !args.upload {
            let hint = "give --upload to send the files of this host that the job names";
            upload::refuse_paths(&text, hint)?;
        }
        return Ok(Some(text));
    }
    let Some(model) = args.model.model.as_ref().filter(|_| args.model.has_images()) else { return Ok(None) };
    let text = model_job::text(&args.model, model, scratch)?;
    let tags = (!args.tags.is_empty()).then(|| format!("tags: {}\n", json!(args.tags)));
    Ok(Some(text + &tags.unwrap_or_default()))
}

fn is_held(job: JobId, lab: &LabArgs) -> bool {
    let listed = hands::connect(&job.to_string(), lab).and_then(|mut link| link.ask(Wish::List, None));
    matches!(listed, Ok(Done::Machines(overview)) if overview.held.is_some())
}

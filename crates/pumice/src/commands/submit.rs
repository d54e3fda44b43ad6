//! `pumice submit` and `pumice resubmit`.

use std::{fs, path::Path};

use pumice_api::ProblemCode;
use pumice_client::{LabClient, Submitted};
use pumice_record::export::tells_of_tests;
use pumice_types::{Blame as _, Cause, Failure, JobId};
use serde_json::json;

use super::results;
use crate::{
    cli::{
        Format,
        lab::{JobArgs, SubmitArgs},
    },
    exit::Exit,
    lab::{self, asked, asked_of, connect, host_refused, number_of, wait_for_end},
    model_job,
    terminal::{self, print, print_error},
    upload,
};

pub(crate) fn main(args: &SubmitArgs) -> Exit {
    lab::exit(submit(args))
}

/// The same job again, as another.
pub(crate) fn again(args: &JobArgs) -> Exit {
    let ask = || {
        let client = connect(&args.lab)?;
        let id = number_of(&client, &args.id)?;
        tell(&asked_of(id, client.resubmit(id))?, args.lab.format);
        Ok(Exit::Success)
    };
    lab::exit(ask())
}

fn submit(args: &SubmitArgs) -> Result<Exit, Failure> {
    // Tests and directories of the command line are packed here.
    let scratch = tempfile::tempdir().map_err(|error| host_refused("cannot make a directory", &error))?;
    let (text, directory) = match (&args.model.model, &args.job) {
        (Some(model), _) => (model_job::text(&args.model, model, scratch.path())?, Path::new("/")),
        (None, Some(path)) => (read(path)?, path.parent().unwrap_or(Path::new("."))),
        (None, None) => return Err(Failure::new(Cause::InvalidDefinition, "there is no job")),
    };
    if args.model.print_job {
        print(text.trim_end());
        return Ok(Exit::Success);
    }
    let client = connect(&args.lab)?;
    let text = if args.upload || args.model.model.is_some() {
        upload::send_named(&client, &text, directory, args.lab.format)?
    } else {
        upload::refuse_paths(&text, "give --upload to send the files of this host that the job names")?;
        text
    };
    let submitted = client.submit(&text).map_err(|error| match error.problem() {
        Some(problem) if problem.code == ProblemCode::Invalid => {
            Failure::new(Cause::InvalidDefinition, problem.message.clone())
                .hint("`pumice check JOB` shows every mistake with its line and column")
        }
        _ => error.failure(),
    })?;
    tell(&submitted, args.lab.format);
    if !args.wait {
        return Ok(Exit::Success);
    }
    let mut exit = Exit::Success;
    for id in submitted.job_ids {
        let ended = end(&client, id, args.lab.format)?;
        exit = if exit == Exit::Success { ended } else { exit };
    }
    Ok(exit)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::new(Cause::InvalidDefinition, format!("cannot read `{}`: {error}", path.display()))
    })
}

fn tell(submitted: &Submitted, format: Format) {
    for warning in &submitted.warnings {
        print_error(&format!("warning: {warning}"));
    }
    for id in &submitted.job_ids {
        match format {
            Format::Text => print_error(&format!("job {id} was submitted")),
            Format::Json => print(&json!({ "submitted": id }).to_string()),
        }
    }
}

/// Waits for a job, prints its results, and says how `pumice run` would have ended.
fn end(client: &LabClient, id: JobId, format: Format) -> Result<Exit, Failure> {
    if format == Format::Text {
        let waits = asked(client.why(id))?.obstacles;
        if let Some(obstacle) = waits.first() {
            print_error(&format!("job {id} waits: {}; {}", obstacle.what, obstacle.remedy));
        }
    }
    let mut is_told = format == Format::Json;
    let job = wait_for_end(client, id, |piece| {
        if !is_told && !piece.is_empty() {
            is_told = true;
            print_error(&format!("job {id} runs; `pumice logs -f {id}` shows what it says"));
        }
    })?;
    let cases = results::all(client, id)?;
    results::show(&cases, format);
    let why = asked(client.why(id))?;
    if format == Format::Json {
        print(&json!({ "job": id, "health": job.health, "failure": why.failure }).to_string());
    } else {
        print(&format!("job {id}: {}", job.health));
    }
    if let Some(failure) = &why.failure {
        terminal::show_failure(failure);
    }
    let is_of_tests = |suite: &str, case: &str| suite != results::RUNNER || tells_of_tests(case);
    let failed = cases.iter().any(|case| case.result == "fail" && is_of_tests(&case.suite, &case.name));
    Ok(match (job.health.as_str(), why.failure) {
        ("Complete", _) if failed => Exit::TestsFailed,
        ("Complete", _) => Exit::Success,
        ("Canceled", _) => Exit::Cancelled,
        (_, Some(failure)) => Exit::of_fault(failure.fault),
        (_, None) => Exit::JobFailed,
    })
}

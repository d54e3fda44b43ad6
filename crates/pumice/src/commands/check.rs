//! `pumice check`: every mistake in a job, a test definition or a device at once.

use std::path::Path;

use pumice_types::{JobId, Severity};
use serde_json::json;

use crate::{
    cli::{CheckArgs, CheckFormat},
    diagnostics,
    exit::Exit,
    input::Input,
    sarif,
    terminal::print,
};

pub(crate) fn main(args: &CheckArgs) -> Exit {
    let platforms = pumice_platforms::all();
    let checked = args.jobs.iter().map(|job| {
        let input = Input::read_any(job, &args.device, JobId(1), &platforms);
        (job.display().to_string(), input)
    });
    report(&checked.collect::<Vec<_>>(), args.format, "jobs")
}

/// Prints what was found in each file. The JSON has one item a file, under `key`.
pub(crate) fn report(checked: &[(String, Input)], format: CheckFormat, key: &str) -> Exit {
    match format {
        CheckFormat::Text => checked.iter().for_each(|(name, input)| show(name, input)),
        CheckFormat::Json => {
            let all: Vec<_> = checked.iter().map(|(name, input)| as_json(Path::new(name), input)).collect();
            print(&json!({ "version": 1, key: all }).to_string());
        }
        CheckFormat::Sarif => {
            let all = checked.iter().map(|(_, input)| (&input.diagnostics, &input.sources));
            print(&format!("{:#}", sarif::log(all)));
        }
    }
    if checked.iter().any(|(_, input)| input.diagnostics.has_errors()) {
        Exit::BadDefinition
    } else {
        Exit::Success
    }
}

fn show(name: &str, input: &Input) {
    diagnostics::show(&input.diagnostics, &input.sources);
    let (errors, warnings) = counts(input);
    let verdict = if errors > 0 { "refused" } else { "accepted" };
    let count = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    print(&format!("{name}: {verdict} ({}, {})", count(errors, "error"), count(warnings, "warning")));
}

fn as_json(name: &Path, input: &Input) -> serde_json::Value {
    let (errors, warnings) = counts(input);
    let found = diagnostics::as_json(&input.diagnostics, &input.sources);
    json!({ "file": name, "errors": errors, "warnings": warnings, "diagnostics": found })
}

/// How many errors and how many warnings.
fn counts(input: &Input) -> (usize, usize) {
    let count = |severity| input.diagnostics.iter().filter(|one| one.severity == severity).count();
    (count(Severity::Error), count(Severity::Warning))
}

//! `pumice check`: every mistake in a job at once.

use pumice_types::{JobId, Severity};
use serde_json::json;

use crate::{
    cli::{CheckArgs, Format},
    diagnostics,
    exit::Exit,
    input::Input,
    terminal::print,
};

pub(crate) fn main(args: &CheckArgs) -> Exit {
    let platforms = pumice_platforms::all();
    let mut exit = Exit::Success;
    let mut all = Vec::new();
    for job in &args.jobs {
        let input = Input::read(job, &args.device, JobId(1), &platforms);
        let count = |severity| input.diagnostics.iter().filter(|one| one.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        if errors > 0 {
            exit = Exit::BadDefinition;
        }
        if args.format == Format::Json {
            let found = diagnostics::as_json(&input.diagnostics, &input.sources);
            all.push(json!({ "file": job, "errors": errors, "warnings": warnings, "diagnostics": found }));
        } else {
            diagnostics::show(&input.diagnostics, &input.sources);
            let verdict = if errors > 0 { "refused" } else { "accepted" };
            print(&format!("{}: {verdict} ({errors} errors, {warnings} warnings)", job.display()));
        }
    }
    if args.format == Format::Json {
        print(&json!({ "version": 1, "jobs": all }).to_string());
    }
    exit
}

//! `pumice run`: one job here and now.

use std::path::PathBuf;

use pumice_run::Outcome;
use pumice_types::{CaseResult, JobId, Mask, Verdict};

use crate::{
    cli::{Format, RunArgs},
    diagnostics,
    execute::Execution,
    exit::Exit,
    input::Input,
    terminal::{self, Watcher, print, print_error},
};

pub(crate) fn main(args: &RunArgs) -> Exit {
    let platforms = pumice_platforms::all();
    let input = Input::read(&args.job, &args.device, JobId(args.job_id), &platforms);
    if !args.quiet || input.diagnostics.has_errors() {
        diagnostics::show(&input.diagnostics, &input.sources);
    }
    let (Some(job), Some(plan)) = (&input.job, &input.plan) else {
        print_error(&format!("{} was refused; nothing was started", args.job.display()));
        return Exit::BadDefinition;
    };
    let output_dir = match output_dir(args) {
        Ok(directory) => directory,
        Err(error) => {
            print_error(&format!("cannot make the output directory: {error}"));
            return Exit::Infrastructure;
        }
    };
    let execution = Execution {
        job,
        plan,
        job_id: JobId(args.job_id),
        platforms,
        places: &args.places,
        config: args.device.config.as_deref(),
        output_dir: &output_dir,
        scratch_dir: None,
        sinks: vec![Box::new(Watcher::new(args.format, args.quiet, args.console))],
    };
    match execution.run() {
        Ok(executed) => {
            if args.format == Format::Json {
                print(&pumice_record::export::write_json(&executed.report, &Mask::default()));
            } else {
                terminal::show_summary(&executed.report, &output_dir);
            }
            exit_of(&executed.outcome)
        }
        Err(failure) => {
            terminal::show_failure(&failure);
            Exit::of_fault(failure.fault)
        }
    }
}

/// The directory the user named, or the first `pumice-N` that is not there.
fn output_dir(args: &RunArgs) -> std::io::Result<PathBuf> {
    if let Some(directory) = &args.output_dir {
        std::fs::create_dir_all(directory)?;
        return std::path::absolute(directory);
    }
    for number in args.job_id.max(1).. {
        let directory = PathBuf::from(format!("pumice-{number}"));
        match std::fs::create_dir(&directory) {
            Ok(()) => return std::path::absolute(directory),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

fn exit_of(outcome: &Outcome) -> Exit {
    match (&outcome.failure, outcome.verdict) {
        (Some(failure), _) => Exit::of_fault(failure.fault),
        (None, Verdict::Complete) if outcome.count(CaseResult::Fail) > 0 => Exit::TestsFailed,
        (None, _) => Exit::Success,
    }
}

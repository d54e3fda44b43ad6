//! `pumice run`: one job here and now.

use std::{path::PathBuf, time::Duration};

use pumice_run::Outcome;
use pumice_types::{CaseResult, JobId, Mask, Verdict};

use crate::{
    cli::{Format, RunArgs},
    diagnostics,
    execute::Execution,
    exit::Exit,
    host,
    input::Input,
    model_job,
    terminal::{self, Watcher, print, print_error},
};

pub(crate) fn main(args: &RunArgs) -> Exit {
    let platforms = pumice_platforms::all();
    let job_id = JobId(args.job_id);
    let (name, mut input) = match (&args.model.model, &args.job) {
        (Some(model), _) => {
            let tests = host::cache_dir(&args.places).join("tests");
            let text = match model_job::text(&args.model, model, &tests) {
                Ok(text) => text,
                Err(failure) => {
                    terminal::show_failure(&failure);
                    return Exit::BadDefinition;
                }
            };
            if args.model.print_job {
                print(text.trim_end());
                return Exit::Success;
            }
            let name = format!("the job for {model}");
            (name.clone(), Input::of_text(&name, &text, &args.device, job_id, &platforms))
        }
        (None, Some(job)) => (job.display().to_string(), Input::read(job, &args.device, job_id, &platforms)),
        (None, None) => return Exit::BadDefinition,
    };
    if !args.quiet || input.diagnostics.has_errors() {
        diagnostics::show(&input.diagnostics, &input.sources);
    }
    if let (Some(plan), Some(minutes)) = (&mut input.plan, args.hold) {
        plan.hold_for(Duration::from_secs(u64::from(minutes) * 60));
    }
    let (Some(job), Some(plan)) = (&input.job, &input.plan) else {
        print_error(&format!("{name} was refused; nothing was started"));
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
        job_id,
        platforms,
        places: &args.places,
        config: args.device.config.as_deref(),
        output_dir: &output_dir,
        scratch_dir: None,
        control_dir: &output_dir,
        test_mounts: Vec::new(),
        sinks: vec![Box::new(Watcher::new(args, &output_dir))],
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

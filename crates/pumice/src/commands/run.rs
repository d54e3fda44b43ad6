//! `pumice run`: one job here and now.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pumice_record::export::unfinished;
use pumice_run::Outcome;
use pumice_types::{CaseResult, Failure, JobId, Mask, Verdict};

use crate::{
    cli::{Format, RunArgs},
    diagnostics,
    execute::Execution,
    exit::Exit,
    group::{GroupRun, NodeFile},
    host,
    input::Input,
    model_job,
    terminal::{self, Watcher, print, print_error},
};

pub(crate) fn main(args: &RunArgs) -> Exit {
    if let Some(file) = &args.node {
        return run_node(args, file);
    }
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
    if !input.nodes.is_empty() {
        return run_group(args, &name, input);
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
        group: None,
        server: None,
    };
    execute(execution, args)
}

fn execute(execution: Execution<'_>, args: &RunArgs) -> Exit {
    let output_dir = execution.output_dir;
    match execution.run() {
        Ok(executed) => {
            if args.format == Format::Json {
                print(&pumice_record::export::write_json(&executed.report, &Mask::default()));
            } else {
                terminal::show_summary(&executed.report, output_dir);
            }
            exit_of(&executed.outcome)
        }
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> Exit {
    terminal::show_failure(failure);
    Exit::of_fault(failure.fault)
}

/// A MultiNode job: a process for each of its nodes.
fn run_group(args: &RunArgs, name: &str, input: Input) -> Exit {
    let output_dir = match output_dir(args) {
        Ok(directory) => directory,
        Err(error) => {
            print_error(&format!("cannot make the output directory: {error}"));
            return Exit::Infrastructure;
        }
    };
    let source = input.job.as_ref().and_then(|job| input.sources.get(job.span.source));
    let Some(source) = source else { return Exit::Bug };
    let group = GroupRun { args, text: &source.text, name, nodes: input.nodes, output_dir: &output_dir };
    group.run().unwrap_or_else(|failure| failed(&failure))
}

/// The process of one node. Its job was shown and accepted before.
fn run_node(args: &RunArgs, file: &Path) -> Exit {
    let node = match NodeFile::read(file) {
        Ok(node) => node,
        Err(error) => {
            print_error(&format!("cannot read `{}`: {error}", file.display()));
            return Exit::Infrastructure;
        }
    };
    let platforms = pumice_platforms::all();
    let input = Input::of_text(&node.name, &node.text, &args.device, JobId(args.job_id), &platforms);
    let Some(own) = input.nodes.get(node.index) else {
        diagnostics::show(&input.diagnostics, &input.sources);
        return Exit::BadDefinition;
    };
    let execution = Execution {
        job: &own.job,
        plan: &own.plan,
        job_id: JobId(own.member.id.parse().unwrap_or(args.job_id)),
        platforms,
        places: &args.places,
        config: args.device.config.as_deref(),
        output_dir: &node.output_dir,
        scratch_dir: None,
        control_dir: &node.output_dir,
        sinks: vec![Box::new(Watcher::new(args, &node.output_dir))],
        test_mounts: Vec::new(),
        group: Some(node.group),
        server: None,
    };
    execute(execution, args)
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

/// Whether a case failed, or a definition did not come to its end.
fn tests_failed(outcome: &Outcome) -> bool {
    outcome.count(CaseResult::Fail) > 0 || !unfinished(&outcome.results).is_empty()
}

fn exit_of(outcome: &Outcome) -> Exit {
    match (&outcome.failure, outcome.verdict) {
        (Some(failure), _) => Exit::of_fault(failure.fault),
        (None, Verdict::Complete) if tests_failed(outcome) => Exit::TestsFailed,
        (None, _) => Exit::Success,
    }
}

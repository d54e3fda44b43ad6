//! `pumice run`: one job here and now.

use std::path::{Path, PathBuf};

use pumice_job::Job;
use pumice_plan::Plan;
use pumice_record::{Timestamp, export::JobReport};
use pumice_run::{Canceller, Outcome, Reporter, Runner, Sink, files};
use pumice_types::{CaseResult, Failure, JobId, Mask, Verdict};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::{Format, RunArgs},
    config::Config,
    diagnostics,
    exit::Exit,
    host::Prepared,
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
    // One job is one process on one thread: a hang or a leak ends with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("cannot start: {error}"));
            return Exit::Infrastructure;
        }
    };
    let ended = runtime.block_on(execute(args, job, plan, platforms, &output_dir));
    // A thread that still fetches for a job that is over is not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match ended {
        Ok(outcome) => exit_of(&outcome),
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

async fn execute(
    args: &RunArgs,
    job: &Job,
    plan: &Plan,
    platforms: Vec<std::rc::Rc<dyn pumice_platform::Platform>>,
    output_dir: &Path,
) -> Result<Outcome, Failure> {
    let config = Config::read(args.device.config.as_deref())?;
    let mask = Mask::new(job.secrets.texts().map(|(_, value)| value).chain(config.secrets()));
    let secrets = job.secrets.texts().map(|(name, value)| (name.to_owned(), value)).collect();
    let prepared = Prepared::new(&args.places, platforms, output_dir, secrets, &config)?;
    let started = now();
    let watcher = Watcher::new(args.format, args.quiet, args.console);
    let reporter = Reporter::new(mask.clone(), sinks(output_dir, watcher)?);
    for line in &prepared.reclaimed {
        reporter.info(line);
    }
    write(output_dir, files::write_plan(output_dir, plan, &mask))?;
    let (canceller, cancel) = Canceller::new();
    let runner = Runner::new(plan, &prepared.host, JobId(args.job_id), reporter, mask, cancel);
    let outcome = tokio::select! {
        outcome = runner.run() => outcome,
        never = cancel_on_signal(&canceller) => match never {},
    };
    let report = report(args, plan, started, &outcome);
    write(output_dir, files::write_results(output_dir, &report))?;
    write(output_dir, files::write_outcome(output_dir, &outcome))?;
    if args.format == Format::Json {
        print(&pumice_record::export::write_json(&report, &Mask::default()));
    } else {
        terminal::show_summary(&report, output_dir);
    }
    prepared.finish().await?;
    Ok(outcome)
}

fn sinks(output_dir: &Path, watcher: Watcher) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let log = write(output_dir, files::LogFile::create(output_dir))?;
    Ok(vec![Box::new(log), Box::new(watcher)])
}

fn write<T>(output_dir: &Path, written: std::io::Result<T>) -> Result<T, Failure> {
    written.map_err(|error| {
        let cause = if error.kind() == std::io::ErrorKind::StorageFull {
            pumice_types::Cause::DiskFull
        } else {
            pumice_types::Cause::HostRefused
        };
        Failure::new(cause, format!("cannot write to `{}`: {error}", output_dir.display()))
    })
}

fn report(args: &RunArgs, plan: &Plan, started: Timestamp, outcome: &Outcome) -> JobReport {
    JobReport {
        job: args.job_id.to_string(),
        name: plan.job_name.clone(),
        device: Some(plan.device.clone()),
        device_type: Some(plan.device_type.clone()),
        started: Some(started),
        ended: Some(now()),
        verdict: Some(outcome.verdict),
        failure: outcome.failure.clone(),
        results: outcome.results.clone(),
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Asks the run to end when somebody presses Ctrl-C or sends one of the usual signals. It never resolves: the run
/// does, in its own time.
async fn cancel_on_signal(canceller: &Canceller) -> std::convert::Infallible {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
    let mut streams: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    std::future::poll_fn(|context| {
        for stream in &mut streams {
            if stream.poll_recv(context).is_ready() {
                canceller.cancel("the job was cancelled by a signal");
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn exit_of(outcome: &Outcome) -> Exit {
    match (&outcome.failure, outcome.verdict) {
        (Some(failure), _) => Exit::of_fault(failure.fault),
        (None, Verdict::Complete) if outcome.count(CaseResult::Fail) > 0 => Exit::TestsFailed,
        (None, _) => Exit::Success,
    }
}

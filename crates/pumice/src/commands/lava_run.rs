//! `lava-run`: the same files and the same lines on standard error as LAVA's runner (lava-compat 3), so that
//! programs that drive it drive us.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use pumice_client::{Address, Connection, Credentials, LavaJob, LavaWorkerClient, Options, PlainHttp};
use pumice_platform::container::Mount;
use pumice_record::{LogLevel, LogRecord, ResultRecord, write_line};
use pumice_run::{Outcome, Reporter, Sink, files};
use pumice_types::{CaseResult, Cause, Failure, JobId, Mask, Severity, Verdict};
use pumice_worker::FollowedLog;
use pumice_yaml::Node;

use crate::{
    cli::{DeviceArgs, LavaRunArgs, lab::JobServer},
    execute::{Execution, GroupPlace, written},
    input::Input,
    lab::asked,
    terminal::print_error,
};

/// Writes every record to standard error, one a line, in LAVA's form.
struct StandardError(String);

impl Sink for StandardError {
    fn record(&mut self, _index: u64, record: &LogRecord) {
        self.0.clear();
        write_line(record, &Mask::default(), &mut self.0);
        self.0.push('\n');
        // Whoever drove us is gone; the files are still written.
        drop(std::io::stderr().write_all(self.0.as_bytes()));
    }
}

pub(crate) fn main(args: &LavaRunArgs) -> ExitCode {
    let followed = match follow(args) {
        Ok(followed) => followed,
        Err(failure) => {
            print_error(&failure.message);
            return ExitCode::FAILURE;
        }
    };
    let ran = run(args, Echo::StandardError, None, None);
    if let Some(followed) = followed {
        followed.finish();
    }
    match ran {
        Ok(outcome) if outcome.verdict == Verdict::Complete => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            print_error(&failure.message);
            ExitCode::FAILURE
        }
    }
}

/// Sends the log to the server that the worker named, as LAVA's runner does: its worker does not.
fn follow(args: &LavaRunArgs) -> Result<Option<FollowedLog>, Failure> {
    let (Some(url), Some(token)) = (&args.url, &args.token) else { return Ok(None) };
    // LAVA's worker sends the same token to this address itself.
    let options = Options::new(asked(Address::parse(url, PlainHttp::Anywhere))?, Credentials::None);
    let client = LavaWorkerClient::new(asked(Connection::new(options))?);
    let output_dir = written(&args.output_dir, std::path::absolute(&args.output_dir))?;
    written(&output_dir, fs::create_dir_all(&output_dir))?;
    let job = LavaJob { id: JobId(args.job_id), token: token.clone() };
    let interval = Duration::from_secs(args.job_log_interval.max(1));
    let followed = FollowedLog::follow(client, job, output_dir.clone(), interval);
    written(&output_dir, followed).map(Some)
}

/// Where the log goes beside the file.
#[derive(Clone, Copy)]
pub(crate) enum Echo {
    /// To standard error, as LAVA's runner does.
    StandardError,
    /// Nowhere: whoever started us reads the file.
    Nowhere,
}

impl Echo {
    fn sinks(self) -> Vec<Box<dyn Sink>> {
        match self {
            Self::StandardError => vec![Box::new(StandardError(String::new()))],
            Self::Nowhere => Vec::new(),
        }
    }
}

/// Runs it, and leaves what LAVA's runner leaves.
///
/// People reach its machines by a socket in `control_dir`, the output directory when none is given. A job that came from a
/// `server` of ours fetches what the operator lets such jobs fetch.
pub(crate) fn run(
    args: &LavaRunArgs,
    echo: Echo,
    control_dir: Option<&Path>,
    server: Option<&JobServer>,
) -> Result<Outcome, Failure> {
    let output_dir = written(&args.output_dir, std::path::absolute(&args.output_dir))?;
    written(&output_dir, fs::create_dir_all(&output_dir))?;
    let platforms = pumice_platforms::all();
    let device = DeviceArgs { device: Some(args.device.clone()), ..DeviceArgs::default() };
    let mut input = Input::read_assigned(&args.job, &device, JobId(args.job_id), &platforms);
    // Where a worker of ours made it, it passes the words of the node on.
    let group = control_dir.filter(|directory| directory.join("group").is_dir());
    if group.is_none() {
        input.refuse_node();
    }
    let (Some(job), Some(plan)) = (&input.job, &input.plan) else {
        return refuse(&input, &output_dir, echo);
    };
    if args.validate {
        let reporter = reporter(&output_dir, echo)?;
        written(&output_dir, files::write_plan(&output_dir, plan, &job.secrets.mask()))?;
        reporter.info("the definition is valid");
        return Ok(Outcome { verdict: Verdict::Complete, failure: None, results: reporter.results() });
    }
    let settings = dispatcher(args);
    let scratch = settings.get("dispatcher_download_dir").and_then(Node::as_str).map(PathBuf::from);
    let group = group.filter(|_| job.node.is_some()).map(|directory| GroupPlace::Lab(directory.to_owned()));
    let control_dir = control_dir.unwrap_or(&output_dir);
    let execution = Execution {
        job,
        plan,
        job_id: JobId(args.job_id),
        platforms,
        places: &args.places,
        config: None,
        output_dir: &output_dir,
        scratch_dir: scratch.as_deref(),
        control_dir,
        test_mounts: test_mounts(&settings),
        sinks: echo.sinks(),
        group,
        server,
    };
    Ok(execution.run()?.outcome)
}

fn reporter(output_dir: &Path, echo: Echo) -> Result<Reporter, Failure> {
    let log = written(output_dir, files::LogFile::create(output_dir))?;
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(log)];
    sinks.extend(echo.sinks());
    Ok(Reporter::new(Mask::default(), sinks))
}

/// A definition with mistakes ends as LAVA ends it: a log, the result of the job, nothing started.
fn refuse(input: &Input, output_dir: &Path, echo: Echo) -> Result<Outcome, Failure> {
    let reporter = reporter(output_dir, echo)?;
    let mut first = None;
    for diagnostic in &input.diagnostics {
        let place = diagnostic.span.and_then(|span| {
            let source = input.sources.get(span.source)?;
            let position = input.sources.position(span)?;
            Some(format!("{}:{}:{}: ", source.name, position.line, position.column))
        });
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})"));
        let text = format!("{}{}{}", place.unwrap_or_default(), diagnostic.message, help.unwrap_or_default());
        let is_error = diagnostic.severity == Severity::Error;
        reporter.log(if is_error { LogLevel::Error } else { LogLevel::Warning }, &text);
        if is_error {
            first.get_or_insert(text);
        }
    }
    let failure = Failure::new(Cause::InvalidDefinition, first.unwrap_or_else(|| "it is empty".to_owned()));
    let mut record = ResultRecord::new("lava", "job", CaseResult::Fail);
    record.error_msg = Some(failure.message.clone());
    record.error_type = Some(failure.fault.lava_name().to_owned());
    reporter.result(record);
    let outcome =
        Outcome { verdict: Verdict::Incomplete, failure: Some(failure), results: reporter.results() };
    written(output_dir, files::write_outcome(output_dir, &outcome))?;
    Ok(outcome)
}

/// The worker's settings (lava-compat 2.6); null when there are none.
fn dispatcher(args: &LavaRunArgs) -> Node {
    let text = args.dispatcher.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    pumice_yaml::parse(&text, pumice_types::SourceId::default()).0.unwrap_or_default()
}

/// `test_docker_bind_mounts`: `[SOURCE, TARGET]` each, and `rw` behind them where it may be written.
fn test_mounts(settings: &Node) -> Vec<Mount> {
    let items = settings.get("test_docker_bind_mounts").and_then(Node::as_seq).unwrap_or_default().iter();
    let mount = |item: &Node| {
        let words = item.as_seq()?.iter().map(Node::as_str).collect::<Option<Vec<_>>>()?;
        let (source, target) = (words.first()?, words.get(1)?);
        let read_only = words.get(2) != Some(&"rw");
        Some(Mount { source: source.into(), target: target.into(), read_only })
    };
    items.filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_mounts_of_the_worker_are_read_only_unless_they_say_otherwise() {
        let text = "test_docker_bind_mounts:\n- [/a, /b]\n- [/c, /d, rw]\n- nonsense\n";
        let settings = pumice_yaml::parse(text, pumice_types::SourceId::default()).0.unwrap();
        let mount = |source: &str, target: &str, read_only| Mount {
            source: source.into(),
            target: target.into(),
            read_only,
        };
        assert_eq!(test_mounts(&settings), [mount("/a", "/b", true), mount("/c", "/d", false)]);
        assert_eq!(test_mounts(&Node::default()), []);
    }
}

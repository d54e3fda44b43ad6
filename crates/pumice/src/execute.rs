//! Executes one planned job: what `pumice run` and `lava-run` share.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use pumice_job::Job;
use pumice_plan::Plan;
use pumice_platform::{Platform, container::Mount};
use pumice_record::{LogLevel, Timestamp, export::JobReport};
use pumice_run::{Canceller, Listening, Outcome, Peers, Reporter, Runner, Sink, files};
use pumice_types::{Cause, Failure, JobId, Mask};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::{
    cli::{Places, lab::JobServer},
    config::Config,
    group::Lan,
    host::Prepared,
};

/// The version of LAVA whose log this is.
const LAVA_VERSION: &str = "2026.07";

/// What is executed, and where what it leaves goes.
pub(crate) struct Execution<'a> {
    pub(crate) job: &'a Job,
    pub(crate) plan: &'a Plan,
    pub(crate) job_id: JobId,
    pub(crate) platforms: Vec<Rc<dyn Platform>>,
    pub(crate) places: &'a Places,
    /// The operator's configuration, where another than the usual one is named.
    pub(crate) config: Option<&'a Path>,
    pub(crate) output_dir: &'a Path,
    /// Where the run's own directory is made; the system's temporary directory when not given.
    pub(crate) scratch_dir: Option<&'a Path>,
    /// Where the control socket is, for people who want to reach the machines.
    pub(crate) control_dir: &'a Path,
    /// More that containers with tests see, beside what the configuration says.
    pub(crate) test_mounts: Vec<Mount>,
    /// Takes the log, beside the files.
    pub(crate) sinks: Vec<Box<dyn Sink>>,
    /// Where the group of a MultiNode job is, for one of its nodes.
    pub(crate) group: Option<GroupPlace>,
    /// The server that it came from.
    pub(crate) server: Option<&'a JobServer>,
}

/// Where the group of a MultiNode job is.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum GroupPlace {
    /// On this host.
    Here {
        /// The socket of whoever runs it.
        socket: PathBuf,
        /// The socket of the switch that the machines share.
        lan: PathBuf,
    },
    /// In a lab: a worker passes on what stands in files of `group` in this directory, its job's.
    Lab(PathBuf),
}

impl GroupPlace {
    async fn join(&self, node: &str) -> Result<Peers, Failure> {
        let joined = match self {
            Self::Here { socket, .. } => Peers::join(socket, node).await,
            Self::Lab(directory) => Peers::join_elsewhere(&directory.join("group"), node).await,
        };
        joined.map_err(|error| {
            Failure::new(Cause::PeerFailed, format!("this node cannot join its group: {error}"))
        })
    }

    /// The network that its machines share.
    fn lan(&self, work_dir: &Path) -> Result<Lan, Failure> {
        match self {
            Self::Here { lan, .. } => Ok(Lan::Elsewhere(lan.clone())),
            Self::Lab(directory) => Lan::join(directory, work_dir).map_err(|error| {
                Failure::new(Cause::NetworkSetup, format!("cannot make the shared network: {error}"))
            }),
        }
    }
}

/// What came of it.
pub(crate) struct Executed {
    pub(crate) outcome: Outcome,
    pub(crate) report: JobReport,
}

impl Execution<'_> {
    /// Runs it on a runtime of its own. One job is one process on one thread: a hang or a leak ends with it.
    pub(crate) fn run(self) -> Result<Executed, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Cause::HostRefused, format!("cannot start: {error}")))?;
        let executed = runtime.block_on(self.execute());
        // A thread that still fetches for a job that is over is not waited for.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        executed
    }

    async fn execute(self) -> Result<Executed, Failure> {
        let mut config = Config::read(self.config)?;
        config.add_test_mounts(self.test_mounts);
        let own = self.job.secrets.texts().map(|(_, value)| value);
        let mask = Mask::new(own.chain(config.secrets()).chain(crate::host::own_secrets()));
        let secrets = self.job.secrets.texts().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut prepared =
            Prepared::new(self.places, self.platforms, self.output_dir, self.scratch_dir, secrets, &config)?;
        if let Some(server) = self.server {
            prepared.limit_downloads(config.downloads(server))?;
        }
        let mut lan = None;
        if let Some(group) = &self.group {
            prepared.host.peers = Some(group.join(&self.job_id.to_string()).await?);
            let joined = group.lan(&prepared.host.work_dir)?;
            prepared.host.lan = joined.socket();
            lan = Some(joined);
        }
        let peers = prepared.host.peers.clone();
        let started = now();
        let log = written(self.output_dir, files::LogFile::create(self.output_dir))?;
        let (tell, log_failed) = oneshot::channel();
        let log = log.on_failure({
            let output_dir = self.output_dir.to_owned();
            // Whoever would hear of it is gone only when the run is over.
            move |error| drop(tell.send(not_written(&output_dir, error)))
        });
        let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(log)];
        sinks.extend(self.sinks);
        let reporter = Reporter::new(mask.clone(), sinks);
        // How LAVA's runner begins: readers of logs know it by these words.
        let version = env!("CARGO_PKG_VERSION");
        reporter.info(format!("lava-dispatcher, installed at version: {LAVA_VERSION} (pumice {version})"));
        if let Some(Lan::Apart(where_nodes_are)) = &lan {
            reporter.warning(format!("the machines of this job share no network: {where_nodes_are}"));
        }
        for line in &prepared.reclaimed {
            reporter.log(LogLevel::Info, line);
        }
        written(self.output_dir, files::write_plan(self.output_dir, self.plan, &mask))?;
        let hands = prepared.host.hands.clone();
        let listening = Listening::start(self.control_dir, &prepared.host.work_dir, hands)
            .inspect_err(|error| {
                reporter.warning(format!("nobody can reach the machines of this run: {error}"));
            })
            .ok();
        let (canceller, cancel) = Canceller::new();
        let runner = Runner::new(self.plan, &prepared.host, self.job_id, reporter, mask, cancel);
        let outcome = tokio::select! {
            outcome = runner.run() => outcome,
            never = cancel_on_signal(&canceller) => match never {},
            never = end_with_group(peers.as_ref(), &canceller) => match never {},
            never = end_without_log(log_failed, &canceller) => match never {},
        };
        drop((listening, lan));
        let report = JobReport {
            job: self.job_id.to_string(),
            name: self.plan.job_name.clone(),
            device: Some(self.plan.device.clone()),
            device_type: Some(self.plan.device_type.clone()),
            started: Some(started),
            ended: Some(now()),
            verdict: Some(outcome.verdict),
            failure: outcome.failure.clone(),
            results: outcome.results.clone(),
        };
        written(self.output_dir, files::write_results(self.output_dir, &report))?;
        prepared.finish().await?;
        // The last file: whoever waits for it finds nothing running.
        written(self.output_dir, files::write_outcome(self.output_dir, &outcome))?;
        Ok(Executed { outcome, report })
    }
}

/// A file that could not be written, as the failure it is.
pub(crate) fn written<T>(output_dir: &Path, result: std::io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| not_written(output_dir, &error))
}

fn not_written(output_dir: &Path, error: &std::io::Error) -> Failure {
    let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    let cause = if full { Cause::DiskFull } else { Cause::HostRefused };
    Failure::new(cause, format!("cannot write to `{}`: {error}", output_dir.display()))
}

/// Ends the run when its log cannot be written: results that nobody can read must not count. It never resolves: the run
/// does, in its own time.
async fn end_without_log(
    log_failed: oneshot::Receiver<Failure>,
    canceller: &Canceller,
) -> std::convert::Infallible {
    if let Ok(failure) = log_failed.await {
        canceller.end(failure);
    }
    std::future::pending().await
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Ends the run when the group of a MultiNode job ends. It never resolves: the run does, in its own time.
async fn end_with_group(peers: Option<&Peers>, canceller: &Canceller) -> std::convert::Infallible {
    if let Some(peers) = peers {
        canceller.end(peers.ended().await);
    }
    std::future::pending().await
}

/// Asks the run to end when somebody presses Ctrl-C or sends one of the usual signals. It never resolves: the run
/// does, in its own time.
async fn cancel_on_signal(canceller: &Canceller) -> std::convert::Infallible {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ];
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

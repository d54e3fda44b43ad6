//! The words of the lab: server, worker, and what people ask of them.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::{Format, LavaRunArgs};

/// What there is to do with a lab.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Start a lab on this host: a server and one worker in one process
    Up(UpArgs),
    /// Start a lab's server
    Server(ServerArgs),
    /// Start a worker, for our server or for a LAVA server
    Worker(WorkerArgs),
    /// Submit a job
    Submit(SubmitArgs),
    /// List jobs, the newest first
    Jobs(JobsArgs),
    /// Show a job
    Show(JobArgs),
    /// Print a job's log
    Logs(LogsArgs),
    /// Print a job's results
    Results(ResultsArgs),
    /// End a job
    Cancel(JobArgs),
    /// Submit a job again
    Resubmit(JobArgs),
    /// Say what a job waits for, or why it failed
    Why(JobArgs),
    /// List devices
    Devices(LabArgs),
    /// List workers
    Workers(LabArgs),
    /// Runs the job in a worker's directory (docs/protocol/job-directory.md).
    #[command(name = "__job", hide = true)]
    Job {
        /// The job's directory.
        directory: PathBuf,
    },
    /// Keeps the job in a worker's directory.
    #[command(name = "__keep", hide = true)]
    Keep {
        /// The job's directory.
        directory: PathBuf,
    },
    /// LAVA's runner, for a worker of a LAVA server.
    #[command(name = "__lava-run", hide = true)]
    LavaRun(LavaRunArgs),
}

/// Where a lab keeps everything.
#[derive(Args, Debug, Default)]
pub(crate) struct StateArgs {
    /// The lab's state directory [default: `$XDG_STATE_HOME/pumice/lab`]
    #[arg(long, value_name = "DIR", env = "PUMICE_LAB")]
    pub(crate) state: Option<PathBuf>,
}

/// Arguments of `pumice up`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The worker's name; the host's by default
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// Arguments of `pumice server`.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000")]
    pub(crate) listen: SocketAddr,
    /// The database [default: `sqlite:STATE/lab.db`]
    #[arg(long, value_name = "URL", env = "PUMICE_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
}

/// Arguments of `pumice worker`.
#[derive(Args, Debug)]
pub(crate) struct WorkerArgs {
    /// Our server's address
    #[arg(long, value_name = "URL", required_unless_present = "lava_server")]
    pub(crate) server: Option<String>,
    /// A LAVA server's address, instead
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub(crate) lava_server: Option<String>,
    /// What admits it the first time: a token of a user who may add workers; for LAVA the worker's own
    #[arg(long, env = "PUMICE_WORKER_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Its name; the host's by default
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where it keeps its jobs [default: `$XDG_STATE_HOME/pumice/worker`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Allow `http://` to other hosts: the token travels in the clear
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// Which lab is asked, and how its answer is printed.
#[derive(Args, Debug)]
pub(crate) struct LabArgs {
    /// The server's address; that of the lab on this host by default
    #[arg(long, env = "PUMICE_URL")]
    pub(crate) url: Option<String>,
    /// The user's token; that of this host's lab by default
    #[arg(long, env = "PUMICE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Arguments of `pumice submit`.
#[derive(Args, Debug)]
pub(crate) struct SubmitArgs {
    /// The job definition
    pub(crate) job: PathBuf,
    /// Wait for its end, and end as `pumice run` would
    #[arg(long, short)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice jobs`.
#[derive(Args, Debug)]
pub(crate) struct JobsArgs {
    /// Only jobs in this state: Submitted, Scheduling, Scheduled, Running, Canceling, Finished
    #[arg(long)]
    pub(crate) state_is: Option<String>,
    /// How many
    #[arg(long, default_value_t = 25)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// A job that is there.
#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    /// The job's number
    pub(crate) id: i64,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// The job's number
    pub(crate) id: i64,
    /// Go on until the job ends
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice results`.
#[derive(Args, Debug)]
pub(crate) struct ResultsArgs {
    /// The job's number
    pub(crate) id: i64,
    /// Print a report instead: junit, tap13, csv or yaml
    #[arg(long, value_name = "KIND", value_parser = ["junit", "tap13", "csv", "yaml"])]
    pub(crate) export: Option<String>,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

//! The words of the lab: server, worker, and what people ask of them.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use pumice_types::ByteSize;

use super::{Format, JobName, LavaRunArgs, ModelArgs};

const SUBMIT_EXAMPLES: &str = "Examples:
  pumice submit job.yaml                  prints the job's number
  pumice submit job.yaml --wait           waits; exits like `pumice run`: 0 when all tests passed
  pumice submit job.yaml --format json | jq .submitted
  pumice submit job.yaml --upload         sends the files of this host that the job names
  pumice submit --model A15x1 --axf x.axf --kernel zImage --test smoke --wait

With --upload, `file:` URLs name files on this host, and addresses without a scheme (`./zImage`) are paths relative to
the job's file. Files that the server already has are not sent again, and an interrupted transfer goes on where it
stopped. Without --upload the job is sent unchanged, and `file:` means a file on the worker.";

const UPLOADS_EXAMPLES: &str = "Examples:
  pumice uploads
  pumice uploads remove zImage            by name, digest, or the start of a digest";

const JOBS_EXAMPLES: &str = "Examples:
  pumice jobs --state-is Running
  pumice jobs --where health=Incomplete --where requested_device_type=vexpress-a15 --limit 5
  pumice jobs --where metadata__branch=main --format json";

const RESULTS_EXAMPLES: &str = "Examples:
  pumice results 42
  pumice results 42 --export junit > junit.xml";

const TOKENS_EXAMPLES: &str = "Examples:
  pumice tokens                                          lists your tokens
  pumice tokens create ci --scope submit --days 90       prints the secret, once
  pumice tokens end 7";

/// LAVA's states of a job (lava-compat 6.1).
const STATES: [&str; 6] = ["Submitted", "Scheduling", "Scheduled", "Running", "Canceling", "Finished"];

/// What there is to do with a lab.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Start a lab on this host: a server and one worker in one process
    Up(UpArgs),
    /// Start only a lab's server
    Server(ServeArgs),
    /// Save a lab's database, logs, files and keys to one file; its server may be running
    Backup(BackupArgs),
    /// Restore a lab's state directory from a backup
    Restore(BackupArgs),
    /// Start a worker for a pumice server or a LAVA server
    Worker(WorkerArgs),
    /// Submit a job, and with --upload the files that it names
    #[command(after_help = SUBMIT_EXAMPLES)]
    Submit(Box<SubmitArgs>),
    /// List jobs, newest first
    #[command(after_help = JOBS_EXAMPLES)]
    Jobs(JobsArgs),
    /// List the waiting jobs and what each is waiting for
    Queue(QueueArgs),
    /// Show a job
    Show(JobArgs),
    /// Print a job's log
    Logs(LogsArgs),
    /// Print a job's results
    #[command(after_help = RESULTS_EXAMPLES)]
    Results(ResultsArgs),
    /// Compare the results of two jobs; exits with 100 when a test that passed no longer does
    Compare(CompareArgs),
    /// Cancel a job
    Cancel(JobArgs),
    /// Submit a job again
    Resubmit(JobArgs),
    /// Show what a job is waiting for, or why it failed
    Why(JobArgs),
    /// Reserve a machine for yourself for a while
    Reserve(Box<ReserveArgs>),
    /// List devices
    Devices(LabArgs),
    /// List workers
    Workers(LabArgs),
    /// List and remove the files you sent with jobs
    #[command(after_help = UPLOADS_EXAMPLES)]
    Uploads(UploadsArgs),
    /// List, create and revoke tokens
    #[command(after_help = TOKENS_EXAMPLES)]
    Tokens(TokensArgs),
    /// Runs the job in a worker's directory (docs/protocol/job-directory.md).
    #[command(name = "__job", hide = true)]
    Job {
        #[command(flatten)]
        server: JobServer,
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

/// The server that a job came from: its files are fetched there, whatever the operator says of other addresses.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct JobServer {
    /// Its address.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Certificates to trust for it, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
}

/// Where a lab keeps everything.
#[derive(Args, Clone, Debug, Default)]
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
    /// The worker's name [default: the host's]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// An address, and how many of its leading bits a network has in common.
fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let read = || {
        let (address, bits) = text.split_once('/')?;
        let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
    };
    read().ok_or_else(|| "write an address and a number of bits, such as 10.1.0.0/16 or fd00::/8".to_owned())
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let example = "write an address and a port, such as 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000";
    text.parse().map_err(|_| example.to_owned())
}

/// Arguments of `pumice server`.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// The address that users see, when it differs from the one listened on
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000", value_parser = socket_address)]
    pub(crate) listen: SocketAddr,
    /// Send the mail that jobs ask for through this relay, in plain SMTP
    #[arg(long, value_name = "HOST:PORT", requires = "mail_from")]
    pub(crate) smtp: Option<String>,
    /// The sender of that mail
    #[arg(long, value_name = "ADDRESS", requires = "smtp")]
    pub(crate) mail_from: Option<String>,
    /// Remove jobs, with their logs, results and files, so many days after their end
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_days: Option<u32>,
    /// Keep logs and files of finished jobs, and files sent for jobs, in an S3-compatible store
    #[arg(long, value_name = "s3://BUCKET/PREFIX", env = "PUMICE_STORAGE")]
    pub(crate) storage: Option<String>,
    /// The largest file that may be sent for a job
    #[arg(long, value_name = "SIZE", default_value = "16 GiB")]
    pub(crate) upload_limit: ByteSize,
    /// The most that the files of one user may take
    #[arg(long, value_name = "SIZE", default_value = "64 GiB")]
    pub(crate) upload_quota: ByteSize,
    /// Remove files sent for jobs so many days after a job last used them
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub(crate) keep_uploads: u32,
    /// Only send callbacks to these hosts: `HOST` or `HOST:PORT`, with `*` and `?`
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', default_value = "*")]
    pub(crate) callback_hosts: Vec<String>,
    /// Also send callbacks to private and loopback addresses
    #[arg(long)]
    pub(crate) private_callbacks: bool,
    /// Let LAVA workers of these networks register themselves, for example `10.1.0.0/16`
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = network)]
    pub(crate) worker_networks: Vec<(IpAddr, u8)>,
    /// Allow these variables too in the `context` of jobs
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) context_variables: Vec<String>,
    /// Requests a second from one address, on average and without those of workers; 0 for no limit
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub(crate) requests_per_second: u32,
    /// Show nothing to users who are not logged in
    #[arg(long)]
    pub(crate) require_login: bool,
    /// The database [default: `sqlite:STATE/lab.db`]
    #[arg(long, value_name = "URL", env = "PUMICE_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// Give a job to another worker no earlier than so many seconds after its own was last heard from
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(4..=3600))]
    pub(crate) lease: u32,
}

/// Arguments of `pumice server`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Encrypt connections with this certificate, followed by those that signed it, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Arguments of `pumice backup` and `pumice restore`.
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The file, a tar archive
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// Arguments of `pumice worker`.
#[derive(Args, Debug)]
pub(crate) struct WorkerArgs {
    /// The pumice server's address
    #[arg(long, value_name = "URL", required_unless_present = "lava_server")]
    pub(crate) server: Option<String>,
    /// The address of a LAVA server to work for instead
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub(crate) lava_server: Option<String>,
    /// The token for the first connection: of a user who may add workers; for LAVA, the worker's own
    #[arg(long, env = "PUMICE_WORKER_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The worker's name [default: the host's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Directory for its jobs [default: `$XDG_STATE_HOME/pumice/worker`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Certificates to trust instead of those of the public authorities, PEM
    #[arg(long, value_name = "FILE", env = "PUMICE_CA_CERT")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Take no new job while less disk space than this is free for its jobs, for example `512MiB`
    #[arg(long, value_name = "SIZE", default_value = "2GiB", conflicts_with = "lava_server")]
    pub(crate) least_free: ByteSize,
    /// Allow `http://` to other hosts; the token is then sent unencrypted
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// Which lab is asked, and how its answer is printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct LabArgs {
    /// The server's address [default: that of the lab on this host]
    #[arg(long, env = "PUMICE_URL")]
    pub(crate) url: Option<String>,
    /// The user's token [default: that of this host's lab]
    #[arg(long, env = "PUMICE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Certificates to trust instead of those of the public authorities, PEM
    #[arg(long, value_name = "FILE", env = "PUMICE_CA_CERT")]
    pub(crate) ca_cert: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Arguments of `pumice submit`.
#[derive(Args, Debug)]
pub(crate) struct SubmitArgs {
    /// The job definition
    #[arg(required_unless_present = "model")]
    pub(crate) job: Option<PathBuf>,
    /// Send the files of this host that the job names, by `file:` URL or by path relative to the job's file
    #[arg(long, conflicts_with = "model")]
    pub(crate) upload: bool,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Wait for the job to end, and exit like `pumice run`
    #[arg(long, short)]
    pub(crate) wait: bool,
    #[command(flatten, next_help_heading = "Options")]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice jobs`.
#[derive(Args, Debug)]
pub(crate) struct JobsArgs {
    /// Only jobs in this state
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    pub(crate) state_is: Option<String>,
    /// Only jobs with this value of a field, by LAVA's names: `submitter=ann`, `end_time__gt=2026-11-01T00:00:00Z`, `metadata__branch=main`
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) filters: Vec<String>,
    /// The most jobs to list
    #[arg(long, default_value_t = 25)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice queue`.
#[derive(Args, Debug)]
pub(crate) struct QueueArgs {
    /// The most jobs to list
    #[arg(long, default_value_t = 25)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice compare`.
#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// The earlier job
    pub(crate) before: JobName,
    /// The later job
    pub(crate) after: JobName,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice uploads`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct UploadsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<UploadsCommand>,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// What `pumice uploads` does.
#[derive(Debug, Subcommand)]
pub(crate) enum UploadsCommand {
    /// Remove a file; refused while an unfinished job needs it
    Remove {
        /// Its name, its digest, or the start of its digest
        file: String,
        #[command(flatten)]
        lab: LabArgs,
    },
}

/// Arguments of `pumice tokens`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TokensArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TokensCommand>,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// What `pumice tokens` does.
#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Create a token and print its secret
    Create {
        /// What it is for
        description: String,
        /// What it may be used for [default: everything]
        #[arg(long, value_name = "SCOPE", value_parser = ["read", "submit", "manage"])]
        scope: Vec<String>,
        /// Let it expire after so many days [default: never]
        #[arg(long, value_name = "N")]
        days: Option<u32>,
        #[command(flatten)]
        lab: LabArgs,
    },
    /// Revoke a token
    End {
        /// Its number
        id: i64,
        #[command(flatten)]
        lab: LabArgs,
    },
}

/// A job that is there.
#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    /// The job's number, `12`, or that of a node of a MultiNode job, `12.0`
    #[arg(value_name = "JOB")]
    pub(crate) id: JobName,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// The job's number, `12`, or that of a node of a MultiNode job, `12.0`
    #[arg(value_name = "JOB")]
    pub(crate) id: JobName,
    /// Keep printing until the job ends
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice results`.
#[derive(Args, Debug)]
pub(crate) struct ResultsArgs {
    /// The job's number, `12`, or that of a node of a MultiNode job, `12.0`
    #[arg(value_name = "JOB")]
    pub(crate) id: JobName,
    /// Print a report in this format instead
    #[arg(long, value_name = "KIND", value_parser = ["junit", "tap13", "csv", "yaml"])]
    pub(crate) export: Option<String>,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice reserve`.
#[derive(Args, Debug)]
pub(crate) struct ReserveArgs {
    /// A job definition: its machine is deployed, booted and kept for you; its tests are not run
    #[arg(required_unless_present = "model")]
    pub(crate) job: Option<PathBuf>,
    /// Send the files of this host that the job names: `file:` addresses, and paths from its directory
    #[arg(long, requires = "job")]
    pub(crate) upload: bool,
    // Files are sent to the lab; URLs are what its worker can reach. Without any of them the lab boots what the health check
    // of the model's device type boots, and `--model` may name a device type, too.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// A tag that the device must have
    #[arg(long = "tag", requires = "model")]
    pub(crate) tags: Vec<String>,
    /// How long: 90s, 30m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "1h")]
    pub(crate) time: std::time::Duration,
    /// Wait until the machine is ready
    #[arg(long, short)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// A time of a person's: `90s`, `30m`, `2h`, `1d`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err("write a number and one of s, m, h, d, such as 2h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number and a unit, such as 2h".to_owned())?;
    Ok(std::time::Duration::from_secs(number.saturating_mul(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(duration("2h"), Ok(std::time::Duration::from_secs(7200)));
        for wrong in ["2", "h", "2w", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_is_an_address_and_its_bits() {
        for (text, expected) in [
            ("10.1.0.0/16", Some(("10.1.0.0", 16))),
            ("fd00::/8", Some(("fd00::", 8))),
            ("0.0.0.0/0", Some(("0.0.0.0", 0))),
            ("10.1.0.0/33", None),
            ("10.1.0.0", None),
            ("lab.example/8", None),
            ("10.1.0.0/-1", None),
        ] {
            let expected = expected.map(|(address, bits)| (address.parse().unwrap(), bits));
            assert_eq!(network(text).ok(), expected, "{text}");
        }
    }
}

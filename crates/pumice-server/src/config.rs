//! What an operator may choose.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use pumice_types::ByteSize;

/// How mail goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The relay, `HOST:PORT`: it is spoken to in plain SMTP, so it belongs on this host or in a network that is trusted.
    pub relay: String,
    /// The sender's address.
    pub from: String,
}

/// The server's settings. [`Config::in_directory`] gives what suits a lab of one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where logs, artifacts and the server's key are kept.
    pub state: PathBuf,
    /// Device types that were not set through the API: `NAME.jinja2` in any of these, the first that has it.
    pub library: Vec<PathBuf>,
    /// The model library: what a model takes of its host and of the lab's licences.
    pub models: pumice_device::ModelLibrary,
    /// Variables that a job's `context` may have beside LAVA's (`EXTRA_CONTEXT_VARIABLES`).
    pub extra_context_variables: Vec<String>,
    /// The address people use, for links in events and callbacks; `None` to take each request's own.
    pub public_url: Option<String>,
    /// The host or host:port patterns (`*` and `?`) that callbacks may go to; see also `private_callbacks`.
    pub callback_hosts: Vec<String>,
    /// Whether callbacks may go to private, loopback and link-local addresses.
    pub private_callbacks: bool,
    /// How mail about jobs goes out; `None` to send none.
    pub mail: Option<Mail>,
    /// How long jobs are kept after they ended; `None` for ever.
    pub keep_jobs: Option<Duration>,
    /// How long a callback may take.
    pub callback_timeout: Duration,
    /// Whether a LAVA worker that nobody added may add itself, and from which networks (address and prefix length).
    pub worker_networks: Vec<(IpAddr, u8)>,
    /// Whether workers may offer devices of their own.
    pub offered_devices: bool,
    /// Whether only people who logged in see anything at all.
    pub require_login: bool,
    /// The largest body of a request, but for pieces of logs and files.
    pub body_limit: ByteSize,
    /// The largest log of one job; what follows is left out, and the log says so.
    pub log_limit: ByteSize,
    /// The largest file that may be sent for a job.
    pub upload_limit: ByteSize,
    /// The most that the files of one user may take.
    pub upload_quota: ByteSize,
    /// How long a file that was sent is kept after it was used last, while no job that has not ended names it.
    pub keep_uploads: Duration,
    /// Requests a second from one address, on average; bursts may be ten times as many. 0 for no limit.
    pub requests_per_second: u32,
    /// Failed log-ins a minute from one address.
    pub failures_per_minute: u32,
    /// Listeners to events at once, over `WebSocket`s; a quarter of them from one address. `None` for a quarter of all connections
    /// that the system allows.
    pub listeners: Option<usize>,
    /// Whether cookies are only sent over TLS.
    pub secure_cookies: bool,
    /// How patient the scheduler is.
    pub policy: pumice_sched::Policy,
}

impl Config {
    /// The settings of a lab that keeps its state in `state`.
    pub fn in_directory(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            library: Vec::new(),
            models: pumice_device::ModelLibrary::default(),
            extra_context_variables: Vec::new(),
            public_url: None,
            callback_hosts: vec!["*".to_owned()],
            private_callbacks: false,
            mail: None,
            keep_jobs: None,
            callback_timeout: Duration::from_secs(5),
            worker_networks: Vec::new(),
            offered_devices: true,
            require_login: false,
            body_limit: ByteSize(16 << 20),
            log_limit: ByteSize(2 << 30),
            upload_limit: ByteSize(16 << 30),
            upload_quota: ByteSize(64 << 30),
            keep_uploads: Duration::from_secs(14 * 24 * 3600),
            requests_per_second: 200,
            failures_per_minute: 30,
            listeners: None,
            secure_cookies: false,
            policy: pumice_sched::Policy::default(),
        }
    }

    /// Sets how long a job is lent to a worker that is not heard of, and what follows from it: the margin covers a sixth of
    /// difference between the rates of two clocks, and the last kill.
    pub fn lend_for(&mut self, lease: Duration) {
        self.policy.lease = lease;
        self.policy.margin = (lease / 6).max(Duration::from_secs(2));
        self.policy.offline_after = lease;
    }

    /// What the operator set about the job language.
    pub(crate) fn rules(&self) -> pumice_job::Rules {
        pumice_job::Rules {
            extra_context_variables: self.extra_context_variables.clone(),
            ..pumice_job::Rules::default()
        }
    }
}

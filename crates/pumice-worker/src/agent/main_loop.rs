//! The agent's one loop: everything that happens is an event, and one thread owns what the worker knows.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use pumice_api::{
    ProblemCode,
    worker::{
        Epoch, Fence, Held, Hello, JobRef, OpenChannel, Orders, OrdersSeen, PROTOCOL, Phase, Poll, Return,
        Welcome,
    },
};
use pumice_client::{Backoff, ClientError, WorkerClient};
use pumice_types::{Blame, Cause, JobId};
use thiserror::Error;

use super::{
    channel,
    poller::{MOST, Polled, Poller},
    task::{Task, TaskHandle},
};
use crate::{
    WorkerConfig,
    clock::boot_millis,
    job::{Directory, Lease},
    space::{lock, shortage},
};

/// Sessions are not opened more often than this: two agents under one name would take turns for ever.
const BETWEEN_SESSIONS: Duration = Duration::from_secs(10);
/// How many jobs' newest fences are remembered beyond those it has.
const REMEMBERED: usize = 10_000;

/// Why an agent cannot work at all. Whatever may pass is tried again instead.
#[derive(Debug, Error)]
pub enum AgentError {
    /// Its directory cannot be used.
    #[error("the worker cannot use `{path}`")]
    State {
        /// What it needs.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another agent uses its directory.
    #[error("another worker uses `{path}`")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It has no token.
    #[error("the worker has no token in `{path}`")]
    NoToken {
        /// Where it should be.
        path: PathBuf,
    },
    /// The server does not want it.
    #[error("the server does not accept this worker")]
    Server(#[source] ClientError),
}

impl AgentError {
    pub(crate) fn state(path: &Path, source: io::Error) -> Self {
        Self::State { path: path.to_owned(), source }
    }
}

impl Blame for AgentError {
    fn root_cause(&self) -> Cause {
        Cause::HostRefused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::State { .. } => Some("give it a directory of its own that it may write to".to_owned()),
            Self::InUse { .. } => Some("stop the other one, or give each a directory of its own".to_owned()),
            Self::NoToken { .. } => {
                Some("start it once with a joining token, or put its token there".to_owned())
            }
            Self::Server(error) => error.hint(),
        }
    }
}

/// Something that the agent hears of.
#[derive(Debug)]
pub(crate) enum Event {
    /// A poll was answered, or not.
    Polled(Box<Polled>),
    /// A job went on.
    Phase(JobRef, Phase),
    /// A job is over and done with.
    Over(JobRef),
    /// A channel was closed.
    ChannelOver(String),
    /// Somebody wants the agent to end.
    Stop(StopMode),
}

/// How an agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// At once. Its jobs run on under their keepers, and the next agent takes them up again.
    Detach,
    /// When its jobs have ended; it takes no new ones.
    Drain,
    /// When its jobs, which are killed, have been reported.
    Kill,
}

/// Ends an agent, from any thread.
#[derive(Clone, Debug)]
pub struct Stop(Sender<Event>);

impl Stop {
    /// Asks the agent to end.
    pub fn stop(&self, mode: StopMode) {
        // An agent that is gone has ended.
        drop(self.0.send(Event::Stop(mode)));
    }
}

/// The agent of one worker.
#[derive(Debug)]
pub struct Agent {
    config: Arc<WorkerConfig>,
    client: WorkerClient,
    events: Receiver<Event>,
    sender: Sender<Event>,
    poller: Poller,
    session: Option<Welcome>,
    /// No session is opened before.
    session_after: Instant,
    sequence: u64,
    in_flight: usize,
    /// Whether something changed that the server should know at once.
    news: bool,
    /// No poll is sent before.
    poll_after: Instant,
    backoff: Backoff,
    tasks: BTreeMap<JobRef, TaskHandle>,
    /// Of each job the newest fence that it has had or refused.
    newest: HashMap<JobId, Fence>,
    channels: BTreeSet<String>,
    ending: Option<StopMode>,
    _lock: std::fs::File,
}

impl Agent {
    /// An agent that has not begun, and what ends it. It takes hold of its directory.
    pub fn new(config: WorkerConfig, client: WorkerClient) -> Result<(Self, Stop), AgentError> {
        let lock = lock(&config.state)?;
        let (sender, events) = channel();
        let now = Instant::now();
        let agent = Self {
            poller: Poller::start(&client, &sender),
            config: Arc::new(config),
            client,
            events,
            sender: sender.clone(),
            session: None,
            session_after: now,
            sequence: 0,
            in_flight: 0,
            news: true,
            poll_after: now,
            backoff: Backoff::new(boot_millis()),
            tasks: BTreeMap::new(),
            newest: HashMap::new(),
            channels: BTreeSet::new(),
            ending: None,
            _lock: lock,
        };
        Ok((agent, Stop(sender)))
    }

    /// Works until it is stopped. What it has of earlier agents it takes up first.
    pub fn run(mut self) -> Result<(), AgentError> {
        self.adopt()?;
        loop {
            if self.ending == Some(StopMode::Detach) || (self.ending.is_some() && self.tasks.is_empty()) {
                self.leave();
                return Ok(());
            }
            let now = Instant::now();
            if self.session.is_none() && now >= self.session_after {
                self.open_session()?;
            }
            self.poll(now);
            match self.events.recv_timeout(self.patience(Instant::now())) {
                Ok(event) => self.hear(event),
                Err(RecvTimeoutError::Timeout) => {}
                // We hold a sender ourselves.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// How long to wait for an event before looking again.
    fn patience(&self, now: Instant) -> Duration {
        let next = match self.session {
            None => self.session_after,
            Some(_) if self.in_flight == 0 || self.news && self.in_flight < MOST => self.poll_after,
            Some(_) => now + Duration::from_secs(60),
        };
        next.saturating_duration_since(now).max(Duration::from_millis(1))
    }

    fn adopt(&mut self) -> Result<(), AgentError> {
        let found = Directory::all(&self.config.state)
            .map_err(|error| AgentError::state(&self.config.state, io::Error::other(error)))?;
        for (job, directory) in found {
            tracing::info!(job = job.job.0, fence = job.fence.0, "taking up a job of an earlier agent");
            self.begin(job, directory, false);
        }
        Ok(())
    }

    fn leave(self) {
        for task in self.tasks.values() {
            task.detach();
        }
        if self.tasks.is_empty()
            && let Some(session) = &self.session
            && let Err(error) = self.client.goodbye(session.epoch)
        {
            tracing::info!("the server was not told that the worker goes down: {error}");
        }
        for (_, task) in self.tasks {
            task.join();
        }
    }

    fn open_session(&mut self) -> Result<(), AgentError> {
        self.session_after = Instant::now() + BETWEEN_SESSIONS;
        let hello = Hello {
            session: format!("{}-{}", std::process::id(), boot_millis()),
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.config.host.clone(),
            job_limit: self.config.job_limit,
            devices: self.config.devices.clone(),
            held: self.held(),
        };
        match self.client.hello(&hello) {
            Ok(welcome) => {
                tracing::info!(epoch = welcome.epoch.0, "the server welcomes this worker");
                self.session = Some(welcome);
                self.sequence = 0;
                self.news = true;
                self.poll_after = Instant::now();
                self.backoff.reset();
                self.channels.clear();
                Ok(())
            }
            Err(error) if error.is_temporary() => {
                self.session_after = Instant::now() + self.backoff.lookout(&error);
                tracing::warn!("no session yet: {}", error.failure());
                Ok(())
            }
            // With jobs to look after it goes on trying: they may have ended and want to be reported.
            Err(error) if !self.tasks.is_empty() => {
                tracing::error!("the server does not accept this worker: {}", error.failure());
                Ok(())
            }
            Err(error) => Err(AgentError::Server(error)),
        }
    }

    fn held(&self) -> Vec<Held> {
        self.tasks
            .iter()
            .map(|(job, task)| Held { job: job.job, fence: job.fence, phase: task.phase })
            .collect()
    }

    fn poll(&mut self, now: Instant) {
        let Some(session) = &self.session else { return };
        let wanted = self.in_flight == 0 || self.news && self.in_flight < MOST;
        if !wanted || now < self.poll_after {
            return;
        }
        let not_ready = match self.ending {
            Some(_) => Some("the worker is going down".to_owned()),
            None => shortage(&self.config.state, self.config.least_free),
        };
        let held = self.held();
        // A lost answer must cost a sixth of the lease, not a third.
        let most = if held.is_empty() { session.hold_ms } else { session.hold_ms.min(session.lease_ms / 6) };
        let cancelling = self.tasks.iter().filter(|(_, task)| task.is_cancelling()).map(|(job, _)| *job);
        let seen =
            OrdersSeen { cancel: cancelling.collect(), channels: self.channels.iter().cloned().collect() };
        self.sequence += 1;
        self.in_flight += 1;
        self.news = false;
        self.poller.send(Poll {
            epoch: session.epoch,
            sequence: self.sequence,
            held,
            not_ready,
            wait_ms: most,
            seen,
        });
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Polled(polled) => self.polled(&polled),
            Event::Phase(job, phase) => {
                if let Some(task) = self.tasks.get_mut(&job) {
                    task.phase = phase;
                }
            }
            Event::Over(job) => {
                if let Some(task) = self.tasks.remove(&job) {
                    clear_away(task);
                }
            }
            Event::ChannelOver(channel) => {
                self.channels.remove(&channel);
                self.news = true;
            }
            Event::Stop(mode) => {
                self.ending = Some(mode);
                self.news = true;
                if mode == StopMode::Kill {
                    self.tasks.values().for_each(TaskHandle::kill);
                }
            }
        }
    }

    fn polled(&mut self, polled: &Polled) {
        self.in_flight -= 1;
        let epoch = self.session.as_ref().map(|session| session.epoch);
        if epoch != Some(polled.poll.epoch) {
            return;
        }
        match &polled.answer {
            Ok(orders) => {
                self.backoff.reset();
                self.renew(polled);
                self.obey(orders, polled.sent_ms);
            }
            Err(error) if error.code() == Some(ProblemCode::StaleSession) => {
                tracing::warn!("another session of this worker was opened; opening a new one");
                self.session = None;
            }
            Err(error) => {
                self.poll_after = Instant::now() + self.backoff.lookout(error);
                tracing::warn!("the server cannot be asked: {}", error.failure());
            }
        }
    }

    fn lease(&self, sent_ms: u64) -> Lease {
        Lease::from(sent_ms, self.session.as_ref().map_or(0, |session| session.lease_ms))
    }

    fn renew(&self, polled: &Polled) {
        let lease = self.lease(polled.sent_ms);
        for job in polled.held() {
            if let Some(task) = self.tasks.get(&job) {
                task.renew(&lease);
            }
        }
    }

    fn obey(&mut self, orders: &Orders, sent_ms: u64) {
        for job in &orders.stop {
            if let Some(task) = self.tasks.get(job) {
                // One whose end was just accepted is among them, before its thread has heard so.
                task.forget();
            }
        }
        for job in &orders.cancel {
            if let Some(task) = self.tasks.get(job) {
                task.cancel();
            } else if self.newest.get(&job.job) < Some(&job.fence) {
                self.take(*job, sent_ms, true);
            }
        }
        for job in &orders.offers {
            if self.newest.get(&job.job) < Some(&job.fence) && self.ending.is_none() {
                self.take(*job, sent_ms, false);
            }
        }
        for open in &orders.channels {
            self.open(open);
        }
    }

    /// Takes a job: to run it, or only to report that it was cancelled.
    fn take(&mut self, job: JobRef, sent_ms: u64, cancelled: bool) {
        match Directory::create(&self.config.state, job, &self.lease(sent_ms)) {
            Ok(directory) => {
                self.begin(job, directory, cancelled);
                self.news = true;
            }
            Err(error) => {
                let failure = error.failure();
                tracing::error!(job = job.job.0, "the job cannot be taken: {failure}");
                // Where this does not arrive, the server offers the job again.
                let reason = Return { fence: job.fence, failure };
                if let Err(error) = self.client.hand_back(job, &reason) {
                    tracing::info!(job = job.job.0, "it was not handed back either: {error}");
                }
            }
        }
    }

    fn begin(&mut self, job: JobRef, directory: Directory, cancelled: bool) {
        if self.newest.len() >= REMEMBERED {
            let tasks = &self.tasks;
            self.newest.retain(|id, _| tasks.keys().any(|job| job.job == *id));
        }
        self.newest.insert(job.job, job.fence);
        let max_piece = self.session.as_ref().map_or(1 << 20, |session| session.max_piece_bytes);
        let task = Task::new(
            Arc::clone(&self.config),
            self.client.clone(),
            self.sender.clone(),
            job,
            directory,
            usize::try_from(max_piece).unwrap_or(1 << 20),
        );
        match task.and_then(|task| task.start(cancelled)) {
            Ok(handle) => drop(self.tasks.insert(job, handle)),
            Err(error) => tracing::error!(job = job.job.0, "the job cannot be looked after: {error}"),
        }
    }

    fn open(&mut self, open: &OpenChannel) {
        let job = JobRef { job: open.job, fence: open.fence };
        let Some(task) = self.tasks.get(&job) else { return };
        if self.channels.insert(open.channel.clone()) {
            let epoch = self.session.as_ref().map_or(Epoch(0), |session| session.epoch);
            channel::serve(
                self.client.clone(),
                epoch,
                open.channel.clone(),
                task.directory.clone(),
                self.sender.clone(),
            );
        }
    }
}

/// Removes what a job that is over has left. Done by the thread that writes leases, so that none comes afterwards.
fn clear_away(task: TaskHandle) {
    let directory = task.directory.clone();
    task.join();
    if let Err(error) = directory.remove() {
        tracing::error!("what a job left cannot be removed: {}", error.failure());
    }
}

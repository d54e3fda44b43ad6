//! The loop: ping, do as the answer says, ping again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use pumice_api::worker::{Fence, JobRef};
use pumice_client::{Backoff, ClientError, LavaJob, LavaOrders, LavaWorkerClient};
use pumice_types::{Blame as _, JobId};
use serde::{Deserialize, Serialize};

use super::task::{Begin, LavaTask, LavaTaskHandle};
use crate::{
    AgentError, JobProgram, KeeperProgram, StopMode,
    clock::boot_millis,
    job::{Directory, Lease, read_json, write_json},
    space::lock,
};

/// How a worker of a LAVA server works.
#[derive(Clone, Debug)]
pub struct LavaConfig {
    /// The name it goes by.
    pub name: String,
    /// Where it keeps its jobs; its own alone.
    pub state: PathBuf,
    /// What runs a job; it gets LAVA's runner's arguments (lava-compat 3.1).
    pub job_program: JobProgram,
    /// What keeps a job.
    pub keeper: KeeperProgram,
    /// How often the server is asked; it takes a worker for offline after 60 s (LAVA's own worker: 20 s).
    pub ping_interval: Duration,
    /// How long lines of a log are gathered (LAVA's own: 5 s).
    pub log_interval: Duration,
}

/// Something that the agent hears of.
#[derive(Debug)]
pub(crate) enum Event {
    /// A job is over and done with.
    Over(JobId),
    /// Somebody wants the agent to end.
    Stop(StopMode),
}

/// `lava.json`: the job as the server names it.
#[derive(Serialize, Deserialize)]
struct JobRecord {
    id: JobId,
    token: String,
}

/// The agent of a worker of a LAVA server.
#[derive(Debug)]
pub struct LavaAgent {
    config: Arc<LavaConfig>,
    client: LavaWorkerClient,
    events: Receiver<Event>,
    sender: Sender<Event>,
    /// The server's version, which a ping must name.
    version: Option<String>,
    tasks: BTreeMap<JobId, LavaTaskHandle>,
    backoff: Backoff,
    ending: Option<StopMode>,
    _lock: std::fs::File,
}

/// Ends a [`LavaAgent`], from any thread.
#[derive(Clone, Debug)]
pub struct LavaStop(Sender<Event>);

impl LavaStop {
    /// Asks the agent to end. [`StopMode::Kill`] cancels its jobs.
    pub fn stop(&self, mode: StopMode) {
        // An agent that is gone has ended.
        drop(self.0.send(Event::Stop(mode)));
    }
}

impl LavaAgent {
    /// An agent that has not begun, and what ends it. It takes hold of its directory.
    pub fn new(config: LavaConfig, client: LavaWorkerClient) -> Result<(Self, LavaStop), AgentError> {
        let lock = lock(&config.state)?;
        let (sender, events) = channel();
        let agent = Self {
            config: Arc::new(config),
            client,
            events,
            sender: sender.clone(),
            version: None,
            tasks: BTreeMap::new(),
            backoff: Backoff::new(boot_millis()),
            ending: None,
            _lock: lock,
        };
        Ok((agent, LavaStop(sender)))
    }

    /// Works until it is stopped. What it has of earlier agents it takes up first.
    pub fn run(mut self) -> Result<(), AgentError> {
        self.adopt()?;
        loop {
            if self.ending == Some(StopMode::Detach) || (self.ending.is_some() && self.tasks.is_empty()) {
                for task in self.tasks.values() {
                    task.control.raise(|control| &control.detach);
                }
                self.tasks.into_values().for_each(LavaTaskHandle::join);
                return Ok(());
            }
            let pause = match self.ping() {
                Ok(orders) => {
                    self.backoff.reset();
                    self.obey(&orders);
                    self.config.ping_interval
                }
                Err(error) => {
                    tracing::warn!("the server cannot be asked: {error}");
                    if matches!(error, ClientError::Refused { status: 409, .. }) {
                        self.version = None;
                    }
                    self.backoff.pause()
                }
            };
            match self.events.recv_timeout(pause) {
                Ok(event) => self.hear(&event),
                Err(RecvTimeoutError::Timeout) => {}
                // We hold a sender ourselves.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Ok(event) = self.events.try_recv() {
                self.hear(&event);
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Over(job) => {
                if let Some(task) = self.tasks.remove(job) {
                    task.join();
                }
            }
            Event::Stop(mode) => {
                self.ending = Some(*mode);
                if *mode == StopMode::Kill {
                    for task in self.tasks.values() {
                        task.control.raise(|control| &control.cancel);
                    }
                }
            }
        }
    }

    fn adopt(&mut self) -> Result<(), AgentError> {
        let found = Directory::all(&self.config.state)
            .map_err(|error| AgentError::state(&self.config.state, std::io::Error::other(error)))?;
        for (_, directory) in found {
            match read_json::<JobRecord>(&directory.file("lava.json")) {
                Some(record) => {
                    let job = LavaJob { id: record.id, token: record.token };
                    self.begin(job, directory, Begin::Run);
                }
                // It was only begun: the server still lists it.
                None => directory
                    .remove()
                    .map_err(|error| AgentError::state(directory.path(), std::io::Error::other(error)))?,
            }
        }
        Ok(())
    }

    fn ping(&mut self) -> Result<LavaOrders, ClientError> {
        let version = match &self.version {
            Some(version) => version.clone(),
            None => self.version.insert(self.client.version()?).clone(),
        };
        self.client.ping(&self.config.name, &version)
    }

    fn obey(&mut self, orders: &LavaOrders) {
        for job in &orders.cancel {
            match self.tasks.get(&job.id) {
                Some(task) if task.control.cancel.is_up() => {}
                Some(task) => task.control.raise(|control| &control.cancel),
                None => self.take(job, Begin::Cancelled),
            }
        }
        for job in &orders.running {
            if !self.tasks.contains_key(&job.id) {
                self.take(job, Begin::Lost);
            }
        }
        for job in &orders.start {
            if !self.tasks.contains_key(&job.id) && self.ending.is_none() {
                self.take(job, Begin::Run);
            }
        }
    }

    fn take(&mut self, job: &LavaJob, begin: Begin) {
        let job_ref = JobRef { job: job.id, fence: Fence(1) };
        let made = Directory::create(&self.config.state, job_ref, &Lease::endless()).and_then(|directory| {
            let record = JobRecord { id: job.id, token: job.token.clone() };
            write_json(&directory.file("lava.json"), &record)?;
            Ok(directory)
        });
        match made {
            Ok(directory) => self.begin(job.clone(), directory, begin),
            // It stays listed, and is tried again at the next ping.
            Err(error) => tracing::error!(job = job.id.0, "the job cannot be taken: {}", error.failure()),
        }
    }

    fn begin(&mut self, job: LavaJob, directory: Directory, begin: Begin) {
        let id = job.id;
        let (config, client, events) = (Arc::clone(&self.config), self.client.clone(), self.sender.clone());
        match (LavaTask { config, client, events, job, directory }).start(begin) {
            Ok(task) => drop(self.tasks.insert(id, task)),
            Err(error) => tracing::error!(job = id.0, "the job cannot be looked after: {error}"),
        }
    }
}

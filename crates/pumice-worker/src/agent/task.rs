//! One job of the agent, in a thread of its own: get it, start its keeper, send its log while it runs, report its end.
//! Everything it needs to go on after a restart of the agent is in the job's directory.

use std::{
    io,
    sync::{Arc, mpsc::Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use pumice_api::{
    ProblemCode,
    worker::{Finish, JobPackage, JobRef, Outcome, Phase, Return},
};
use pumice_client::{Backoff, ClientError, WorkerClient};
use pumice_types::{Blame as _, Cause, Failure};

use super::{
    main_loop::Event,
    relay::{Relay, Words},
    ship::{Shipper, files},
};
use crate::{
    WorkerConfig,
    clock::boot_millis,
    job::{
        Control, Directory, Keeper, Lease, Texts, Wait, destroy, outcome, prepare, start_keeper,
        tell_to_cancel,
    },
};

/// How long lines are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(50);

/// The agent's hold on a job.
#[derive(Debug)]
pub(crate) struct TaskHandle {
    /// How far it is.
    pub(crate) phase: Phase,
    /// Its directory.
    pub(crate) directory: Directory,
    control: Arc<Control>,
    thread: JoinHandle<()>,
}

impl TaskHandle {
    pub(crate) fn cancel(&self) {
        self.control.raise(|control| &control.cancel);
    }

    pub(crate) fn kill(&self) {
        self.control.raise(|control| &control.kill);
    }

    pub(crate) fn forget(&self) {
        self.control.raise(|control| &control.forget);
    }

    pub(crate) fn detach(&self) {
        self.control.raise(|control| &control.detach);
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        self.control.cancel.is_up()
    }

    /// The server lends the job on.
    pub(crate) fn renew(&self, lease: &Lease) {
        let later = self
            .directory
            .lease()
            .is_none_or(|known| known.boot_id != lease.boot_id || known.kill_ms < lease.kill_ms);
        if later && let Err(error) = self.directory.set_lease(lease) {
            // The job ends with the lease that it has.
            tracing::error!("a lease cannot be written down: {}", error.failure());
        }
        self.control.bell.ring();
    }

    pub(crate) fn join(self) {
        drop(self.thread.join());
    }
}

/// How a job's thread ends.
enum Ended {
    /// The job is not ours any more.
    Stale,
    /// The agent goes, the job stays.
    Detached,
}

/// Why a job does not go on as it should.
enum Halt {
    /// Nothing is to be reported.
    Ended(Ended),
    /// It was not started and is reported so.
    Unstarted(Outcome),
    /// It was not started and another worker may have it.
    Returned(Failure),
}

/// One job.
pub(crate) struct Task {
    config: Arc<WorkerConfig>,
    client: WorkerClient,
    events: Sender<Event>,
    job: JobRef,
    directory: Directory,
    max_piece: usize,
    control: Arc<Control>,
    backoff: Backoff,
}

impl Task {
    pub(crate) fn new(
        config: Arc<WorkerConfig>,
        client: WorkerClient,
        events: Sender<Event>,
        job: JobRef,
        directory: Directory,
        max_piece: usize,
    ) -> io::Result<Self> {
        let control = Control::new()?;
        let backoff = Backoff::new(boot_millis() ^ job.job.0.unsigned_abs());
        Ok(Self { config, client, events, job, directory, max_piece, control: Arc::new(control), backoff })
    }

    /// Begins, or goes on where an earlier agent stopped.
    pub(crate) fn start(self, cancelled: bool) -> io::Result<TaskHandle> {
        if cancelled {
            self.control.raise(|control| &control.cancel);
        }
        let phase = match (self.directory.exit(), self.directory.keeper()) {
            (Some(_), _) => Phase::Shipping,
            (None, Some(_)) => Phase::Running,
            (None, None) => Phase::Accepted,
        };
        let (control, directory) = (Arc::clone(&self.control), self.directory.clone());
        let thread =
            thread::Builder::new().name(format!("job {}", self.job.job)).spawn(move || self.run())?;
        Ok(TaskHandle { phase, directory, control, thread })
    }

    fn run(mut self) {
        let ended = match self.live() {
            Ok(outcome) | Err(Halt::Unstarted(outcome)) => self.report(&outcome),
            Err(Halt::Returned(failure)) => self.hand_back(&failure),
            Err(Halt::Ended(ended)) => Err(ended),
        };
        if matches!(ended, Err(Ended::Stale)) {
            tracing::warn!(
                job = self.job.job.0,
                fence = self.job.fence.0,
                "this job was not ours any more; it was killed and forgotten"
            );
        }
        if !matches!(ended, Err(Ended::Detached)) {
            drop(self.events.send(Event::Over(self.job)));
        }
    }

    /// Until nothing of the job runs any more. Answers how it ended.
    fn live(&mut self) -> Result<Outcome, Halt> {
        let mut keeper = self.keeper()?;
        let relay = Relay::start(&self.client, self.job, &self.directory).unwrap_or_else(|error| {
            tracing::error!(job = self.job.job.0, "the words of this node cannot be passed on: {error}");
            None
        });
        let wait = Wait::new(&self.directory);
        let mut shipper = Shipper::new(self.client.clone(), self.job, &self.directory, self.max_piece);
        let mut told_to_cancel = false;
        while let Some(running) = &mut keeper {
            let mut pause = Duration::from_secs(30);
            match shipper.ship(false) {
                Ok(()) => self.backoff.reset(),
                Err(error) if is_stale(&error) => return Err(self.destroyed(running)),
                Err(_) => pause = self.backoff.pause(),
            }
            let woken = wait.until(Some(running), &self.control.bell, true, pause);
            // A poll was answered, perhaps after an outage: nobody waits out a pause that began in it.
            if let (true, Some(relay)) = (woken.rang, &relay) {
                relay.try_again();
            }
            if self.control.forget.is_up() {
                return Err(self.destroyed(running));
            }
            if self.control.detach.is_up() {
                return Err(Halt::Ended(Ended::Detached));
            }
            if self.control.kill.is_up() {
                running.kill_job();
            }
            if self.control.cancel.is_up() && !told_to_cancel {
                told_to_cancel = true;
                tell_to_cancel(&self.directory, running, self.config.kill_after);
            }
            if woken.ended {
                running.collect();
                // A second keeper gives way to the first, which is then the one to wait for.
                keeper = if self.directory.exit().is_none() { Keeper::adopt(&self.directory) } else { None };
            } else if woken.written {
                wait.gather(running, &self.control.bell, GATHER);
            }
        }
        if self.control.kill.is_up() {
            let message = "the worker was told to go down while the job ran";
            return Ok(Outcome::incomplete(Failure::new(Cause::HostRefused, message)));
        }
        Ok(outcome(&self.directory))
    }

    /// Kills what runs of a job that is not ours.
    fn destroyed(&self, keeper: &mut Keeper) -> Halt {
        destroy(&self.directory, keeper, &self.control);
        Halt::Ended(Ended::Stale)
    }

    /// The keeper of this job; `None` when it has ended.
    fn keeper(&mut self) -> Result<Option<Keeper>, Halt> {
        if self.directory.exit().is_some() {
            return Ok(None);
        }
        if self.directory.keeper().is_some() {
            return Ok(Keeper::adopt(&self.directory));
        }
        self.go_on_if_wanted()?;
        if !self.directory.is_prepared() {
            let package = self.package()?;
            let texts = Texts {
                definition: &package.definition,
                device: &package.device,
                dispatcher: &package.dispatcher,
                env: &package.env,
                env_dut: &package.env_dut,
            };
            if package.is_node {
                self.directory
                    .make_group(&package.node_workers)
                    .map_err(|error| Halt::Returned(error.failure()))?;
            }
            prepare(&self.directory, &texts, self.argv()).map_err(|error| Halt::Returned(error.failure()))?;
        }
        while !self.directory.lease().is_some_and(|lease| lease.is_valid()) {
            self.go_on_if_wanted()?;
            self.rest(Duration::from_secs(60));
        }
        let keeper = start_keeper(&self.directory, &self.config.keeper)
            .map_err(|error| Halt::Returned(error.failure()))?;
        drop(self.events.send(Event::Phase(self.job, Phase::Running)));
        if let Err(error) = self.client.started(self.job) {
            // The next poll says so, too.
            tracing::info!(job = self.job.job.0, "the server was not told that the job runs: {error}");
        }
        Ok(Some(keeper))
    }

    fn argv(&self) -> Vec<String> {
        let program = &self.config.job_program;
        let words = std::iter::once(&program.program).chain(&program.arguments);
        let mut argv: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        argv.push(self.directory.path().to_string_lossy().into_owned());
        argv
    }

    /// Before the job is started: whether it should be.
    fn go_on_if_wanted(&self) -> Result<(), Halt> {
        if self.control.forget.is_up() {
            return Err(Halt::Ended(Ended::Stale));
        }
        if self.control.detach.is_up() {
            return Err(Halt::Ended(Ended::Detached));
        }
        if self.control.cancel.is_up() {
            return Err(Halt::Unstarted(Outcome::cancelled()));
        }
        if self.control.kill.is_up() {
            let message = "the worker was told to go down before it started the job";
            return Err(Halt::Returned(Failure::new(Cause::HostRefused, message)));
        }
        Ok(())
    }

    fn package(&mut self) -> Result<JobPackage, Halt> {
        loop {
            match self.client.package(self.job) {
                Ok(package) => return Ok(package),
                Err(error) if is_stale(&error) => return Err(Halt::Ended(Ended::Stale)),
                Err(error) if error.is_temporary() => {
                    let pause = self.backoff.pause();
                    self.rest(pause);
                    self.go_on_if_wanted()?;
                }
                Err(error) => return Err(Halt::Returned(error.failure())),
            }
        }
    }

    /// Waits for the bell, but not longer than `limit`.
    fn rest(&self, limit: Duration) {
        self.control.bell.wait(limit);
    }

    /// Sends what is left and says how the job ended; goes on trying for as long as it is wanted.
    fn report(&mut self, outcome: &Outcome) -> Result<(), Ended> {
        drop(self.events.send(Event::Phase(self.job, Phase::Shipping)));
        let mut shipper = Shipper::new(self.client.clone(), self.job, &self.directory, self.max_piece);
        let files = files(&self.directory, self.config.largest_file);
        let mut words = Words::of(&self.client, self.job, &self.directory);
        loop {
            // What a node said is heard before its end.
            let said = words.as_mut().map_or(Ok(()), Words::send).and_then(|()| shipper.ship(true));
            let sent = said.and_then(|()| shipper.ship_files(&files)).and_then(|files| {
                let finish = Finish {
                    fence: self.job.fence,
                    outcome: outcome.clone(),
                    log_bytes: shipper.size(),
                    files,
                };
                self.client.finish(self.job, &finish)
            });
            match sent {
                Ok(()) => return Ok(()),
                Err(error) if is_stale(&error) => return Err(Ended::Stale),
                Err(error) => {
                    tracing::warn!(job = self.job.job.0, "the job cannot be reported yet: {error}");
                    self.pause()?;
                }
            }
        }
    }

    fn hand_back(&mut self, failure: &Failure) -> Result<(), Ended> {
        tracing::warn!(job = self.job.job.0, "handing the job back: {failure}");
        let reason = Return { fence: self.job.fence, failure: failure.clone() };
        loop {
            match self.client.hand_back(self.job, &reason) {
                Ok(()) => return Ok(()),
                Err(error) if is_stale(&error) => return Err(Ended::Stale),
                Err(_) => self.pause()?,
            }
        }
    }

    /// Waits before the next try: for as long as tries failed, or until a poll is answered.
    fn pause(&mut self) -> Result<(), Ended> {
        let pause = self.backoff.pause();
        self.rest(pause);
        if self.control.forget.is_up() {
            return Err(Ended::Stale);
        }
        if self.control.detach.is_up() {
            return Err(Ended::Detached);
        }
        Ok(())
    }
}

/// Whether the server says that the job is not ours.
pub(super) fn is_stale(error: &ClientError) -> bool {
    matches!(error.code(), Some(ProblemCode::StaleFence | ProblemCode::NotFound))
}

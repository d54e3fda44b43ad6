//! One job of a LAVA server, in a thread of its own.

use std::{
    io,
    sync::{Arc, mpsc::Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use pumice_client::{Backoff, ClientError, LavaJob, LavaResult, LavaWorkerClient};
use pumice_types::{Blame as _, SourceId};

use super::{
    LavaConfig,
    agent::Event,
    lines::{Lines, Shipped},
};
use crate::{
    clock::boot_millis,
    job::{
        Control, Directory, Keeper, Texts, Wait, destroy, job_result, prepare, start_keeper, tell_to_cancel,
    },
};

/// LAVA's worker kills a cancelled job after this, or after its clean-up's timeout if that is longer (lava-compat 6.4).
const KILL_AFTER: Duration = Duration::from_secs(120);

/// The agent's hold on a job.
#[derive(Debug)]
pub(crate) struct LavaTaskHandle {
    pub(crate) control: Arc<Control>,
    thread: JoinHandle<()>,
}

impl LavaTaskHandle {
    pub(crate) fn join(self) {
        drop(self.thread.join());
    }
}

/// What a job's thread begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Run it, or go on with it.
    Run,
    /// It was cancelled before we had it.
    Cancelled,
    /// The server believes that it runs here, and it does not.
    Lost,
}

/// How a job's thread ends early.
enum Halt {
    /// The server does not know the job any more.
    Unknown,
    /// The agent goes, the job stays.
    Detached,
    /// It was not started and is reported so.
    Report(LavaResult),
}

/// One job.
pub(crate) struct LavaTask {
    pub(crate) config: Arc<LavaConfig>,
    pub(crate) client: LavaWorkerClient,
    pub(crate) events: Sender<Event>,
    pub(crate) job: LavaJob,
    pub(crate) directory: Directory,
}

impl LavaTask {
    pub(crate) fn start(self, begin: Begin) -> io::Result<LavaTaskHandle> {
        let control = Arc::new(Control::new()?);
        let mut running = Running {
            lines: Lines::new(self.client.clone(), self.job.clone(), &self.directory),
            backoff: Backoff::new(boot_millis() ^ self.job.id.0.unsigned_abs()),
            control: Arc::clone(&control),
            task: self,
        };
        let name = format!("job {}", running.task.job.id);
        let thread = thread::Builder::new().name(name).spawn(move || running.run(begin))?;
        Ok(LavaTaskHandle { control, thread })
    }
}

struct Running {
    task: LavaTask,
    control: Arc<Control>,
    lines: Lines,
    backoff: Backoff,
}

impl Running {
    fn run(&mut self, begin: Begin) {
        let lived = match begin {
            Begin::Run => self.live(),
            Begin::Cancelled => {
                Err(Halt::Report(failed("Canceled", "the job was cancelled before it was started")))
            }
            Begin::Lost => Err(Halt::Report(failed("Infrastructure", "the worker does not have this job"))),
        };
        let reported = match lived {
            Ok(result) | Err(Halt::Report(result)) => self.report(&result),
            Err(halt) => Err(halt),
        };
        if matches!(reported, Err(Halt::Detached)) {
            return;
        }
        if let Err(error) = self.task.directory.remove() {
            tracing::error!(
                job = self.task.job.id.0,
                "what the job left cannot be removed: {}",
                error.failure()
            );
        }
        drop(self.task.events.send(Event::Over(self.task.job.id)));
    }

    fn live(&mut self) -> Result<LavaResult, Halt> {
        let mut keeper = self.keeper()?;
        let wait = Wait::new(&self.task.directory);
        let mut told_to_cancel = false;
        while let Some(running) = &mut keeper {
            let mut pause = Duration::from_secs(30);
            match self.lines.ship(false) {
                Ok(Shipped::All) => self.backoff.reset(),
                Ok(Shipped::Oversized) => running.kill_job(),
                Err(error) if is_unknown(&error, &self.task.job) => {
                    destroy(&self.task.directory, running, &self.control);
                    return Err(Halt::Unknown);
                }
                Err(_) => pause = self.backoff.pause(),
            }
            let woken = wait.until(Some(running), &self.control.bell, true, pause);
            if self.control.detach.is_up() {
                return Err(Halt::Detached);
            }
            if self.control.cancel.is_up() && !told_to_cancel {
                told_to_cancel = true;
                tell_to_cancel(&self.task.directory, running, self.kill_after());
            }
            if woken.ended {
                running.collect();
                let directory = &self.task.directory;
                keeper = if directory.exit().is_none() { Keeper::adopt(directory) } else { None };
            } else if woken.written {
                wait.gather(running, &self.control.bell, self.task.config.log_interval);
            }
        }
        Ok(job_result(&self.task.directory))
    }

    /// The keeper of this job; `None` when it has ended.
    fn keeper(&mut self) -> Result<Option<Keeper>, Halt> {
        let directory = self.task.directory.clone();
        if directory.exit().is_some() {
            return Ok(None);
        }
        if directory.keeper().is_some() {
            return Ok(Keeper::adopt(&directory));
        }
        let fail = |error: &dyn pumice_types::Blame| {
            Halt::Report(failed("Infrastructure", &error.failure().message))
        };
        if !directory.is_prepared() {
            let package = loop {
                match self.task.client.package(&self.task.job) {
                    Ok(package) => break package,
                    Err(error) if is_unknown(&error, &self.task.job) => return Err(Halt::Unknown),
                    Err(error) if error.is_temporary() => self.pause()?,
                    Err(error) => return Err(fail(&error)),
                }
                if self.control.cancel.is_up() {
                    return Err(Halt::Report(failed("Canceled", "")));
                }
            };
            let texts = Texts {
                definition: &package.definition,
                device: &package.device,
                dispatcher: &package.dispatcher,
                env: &package.env,
                env_dut: &package.env_dut,
            };
            prepare(&directory, &texts, self.argv()).map_err(|error| fail(&error))?;
        }
        let keeper = start_keeper(&directory, &self.task.config.keeper).map_err(|error| fail(&error))?;
        // Until this arrives the job stays listed to be started, which is ignored as we have it.
        while let Err(error) = self.task.client.running(&self.task.job) {
            if !error.is_temporary() {
                tracing::warn!(
                    job = self.task.job.id.0,
                    "the server was not told that the job runs: {error}"
                );
                break;
            }
            self.pause()?;
        }
        Ok(Some(keeper))
    }

    /// LAVA's runner's command line (lava-compat 3.1).
    fn argv(&self) -> Vec<String> {
        let program = &self.task.config.job_program;
        let file = |name: &str| self.task.directory.file(name).to_string_lossy().into_owned();
        let words = std::iter::once(&program.program).chain(&program.arguments);
        let mut argv: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        for (option, value) in [
            ("--device", file("device.yaml")),
            ("--dispatcher", file("dispatcher.yaml")),
            ("--env-dut", file("env-dut.yaml")),
            ("--job-id", self.task.job.id.to_string()),
            ("--output-dir", file("output")),
        ] {
            argv.extend([option.to_owned(), value]);
        }
        argv.push(file("job.yaml"));
        argv
    }

    /// How long a cancelled job has: its clean-up, the last step of its description, may take longer than usual.
    fn kill_after(&self) -> Duration {
        let path = self.task.directory.output().join("description.yaml");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let (node, _) = pumice_yaml::parse(&text, SourceId::default());
        let last = node.as_ref().and_then(|node| node.get("pipeline")?.as_seq()?.last());
        let seconds = last.and_then(|step| step.get("timeout")?.as_i64()).unwrap_or(0);
        KILL_AFTER.max(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Sends the rest of the log and says how the job ended.
    fn report(&mut self, result: &LavaResult) -> Result<(), Halt> {
        loop {
            let sent = self.lines.ship(true).and_then(|_| self.task.client.finished(&self.task.job, result));
            match sent {
                Ok(()) => return Ok(()),
                Err(error) if is_unknown(&error, &self.task.job) => return Err(Halt::Unknown),
                Err(error) => {
                    tracing::warn!(job = self.task.job.id.0, "the job cannot be reported yet: {error}");
                    self.pause()?;
                }
            }
        }
    }

    fn pause(&mut self) -> Result<(), Halt> {
        let pause = self.backoff.pause();
        Wait::new(&self.task.directory).until(None, &self.control.bell, false, pause);
        if self.control.detach.is_up() { Err(Halt::Detached) } else { Ok(()) }
    }
}

/// Whether the server says, in LAVA's very words, that there is no such job.
fn is_unknown(error: &ClientError, job: &LavaJob) -> bool {
    matches!(error, ClientError::Refused { status: 404, problem, .. }
        if problem.message == format!("Unknown job '{}'", job.id))
}

fn failed(error_type: &str, errors: &str) -> LavaResult {
    LavaResult {
        passed: false,
        error_type: error_type.to_owned(),
        errors: errors.to_owned(),
        description: String::new(),
    }
}

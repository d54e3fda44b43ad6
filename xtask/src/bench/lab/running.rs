//! A lab of our own for one measurement: started, asked, ended.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use serde_json::{Value, json};

use super::http::Api;
use crate::program::command;

/// How often the lab is asked whether a job is over.
const INTERVAL: Duration = Duration::from_millis(10);

/// Longer than a tiny job takes on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A job without images and without a login, for a simulator of ours that says its results by itself.
pub(super) const TINY: &str = "\
job_name: tiny
device_type: command
visibility: public
priority: medium
timeouts: {job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}}
actions:
- boot: {method: command, prompts: ['ready>']}
- test:
    monitors:
    - {name: tiny, start: BEGIN, end: DONE, pattern: '(?P<test_case_id>[a-z]+): (?P<result>pass|fail)', fixupdict: {}}
";

/// Shell scripts that behave as simulators do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Simulator {
    /// Boots at once, says five results, and waits for its end.
    Instant,
    /// Boots at once and never says that it is done.
    Endless,
}

impl Simulator {
    /// What stands in the command line of each, so that one that is left can be found.
    pub(super) const MARK: &str = "pumice-bench-simulator";

    fn dictionary(self) -> String {
        let last = match self {
            Self::Instant => "echo DONE",
            Self::Endless => ":",
        };
        let cases = "for case in one two three four five; do echo $case: pass; done";
        format!(
            "{{% extends 'command.jinja2' %}}\n{{% set command = {{'program': 'sh', 'arguments': ['-c', \
             'echo Linux version 0; echo \"ready>\"; echo BEGIN; {cases}; {last}; read line', '{}'], \
             'stop': [{{'how': 'terminate', 'grace_seconds': 5}}]}} %}}\n",
            Self::MARK
        )
    }
}

/// A lab that runs.
pub(super) struct Lab {
    /// Its API, asked as its administrator.
    pub(super) api: Api,
    /// The server's process; with `pumice up` the worker is in it.
    pub(super) server: Child,
    /// The worker's, where it is one of its own.
    pub(super) worker: Option<Child>,
    state: PathBuf,
}

impl Lab {
    /// `pumice up` with its state in `state`, which is made anew.
    pub(super) fn up(program: &Path, state: &Path) -> Result<Self> {
        Self::start(program, state, "up")
    }

    /// `pumice server` and `pumice worker`.
    pub(super) fn apart(program: &Path, state: &Path) -> Result<Self> {
        let mut lab = Self::start(program, state, "server")?;
        let token = lab.api.token.clone();
        let url = format!("http://{}", lab.api.address);
        let mut worker = command(program, ["worker", "--server", &url, "--token", &token, "--state"]);
        worker.arg(state.join("far-worker")).stdout(Stdio::null()).stderr(Stdio::null());
        lab.worker = Some(worker.spawn().context("cannot start the worker")?);
        lab.wait_for("a worker", |lab| Ok(lab.api.get("workers/?state=Online")?["count"] != 0))?;
        Ok(lab)
    }

    fn start(program: &Path, state: &Path, what: &str) -> Result<Self> {
        if state.exists() {
            fs::remove_dir_all(state)?;
        }
        fs::create_dir_all(state)?;
        let log = fs::File::create(state.join("log"))?;
        let mut server = command(program, [what, "--listen", "127.0.0.1:0", "--state"]);
        server.arg(state.join("lab")).stdout(Stdio::piped()).stderr(log.into_file());
        server.env("XDG_STATE_HOME", state.join("xdg-state")).env("XDG_CACHE_HOME", state.join("xdg-cache"));
        let mut server = server.spawn().with_context(|| format!("cannot start pumice {what}"))?;
        let said = BufReader::new(server.stdout.take().context("no standard output")?).lines();
        let mut address = None;
        for line in said {
            if let Some(url) = line?.strip_prefix("the lab is at http://") {
                address = Some(url.to_owned());
                break;
            }
        }
        let Some(address) = address else {
            server.wait()?;
            bail!("pumice {what} ended; its log is {}", state.join("log").display());
        };
        let token = fs::read_to_string(state.join("lab/admin.token"))?.trim().to_owned();
        Ok(Self { api: Api { address, token }, server, worker: None, state: state.to_owned() })
    }

    /// Adds devices on the lab's one worker.
    pub(super) fn add_devices(&self, count: usize) -> Result<()> {
        self.wait_for("a worker", |lab| Ok(lab.api.get("workers/?state=Online")?["count"] != 0))?;
        let workers = self.api.get("workers/")?;
        let worker = &workers["results"][0]["hostname"];
        let known = self.api.get("devicetypes/?name=command")?;
        if known["count"] == 0 {
            self.api.post("devicetypes/", &json!({ "name": "command" }))?;
        }
        for number in 0..count {
            let new = json!({
                "hostname": name(number), "device_type": "command", "worker_host": worker, "health": "Good",
            });
            self.api.post("devices/", &new)?;
        }
        Ok(())
    }

    /// Says what the devices' simulators do.
    pub(super) fn simulate(&self, count: usize, simulator: Simulator) -> Result<()> {
        for number in 0..count {
            let path = format!("devices/{}/dictionary/", name(number));
            self.api.post(&path, &json!({ "dictionary": simulator.dictionary() }))?;
        }
        Ok(())
    }

    /// Submits the tiny job; its id.
    pub(super) fn submit(&self) -> Result<i64> {
        let answer = self.api.post("jobs/", &json!({ "definition": TINY }))?;
        answer["job_ids"][0].as_i64().context("no job id")
    }

    /// Waits until a job is in that state; the job.
    pub(super) fn wait_for_state(&self, job: i64, state: &str) -> Result<Value> {
        let mut shown = Value::Null;
        self.wait_for(&format!("job {job} to be {state}"), |lab| {
            shown = lab.api.get(&format!("jobs/{job}/"))?;
            Ok(shown["state"] == state)
        })?;
        Ok(shown)
    }

    /// Waits until so many jobs have ended.
    pub(super) fn wait_for_finished(&self, count: usize) -> Result<()> {
        self.wait_for(&format!("{count} jobs to end"), |lab| {
            Ok(lab.api.get("jobs/?state=Finished&limit=1")?["count"].as_u64() >= Some(count as u64))
        })
    }

    fn wait_for(&self, what: &str, mut is_there: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !is_there(self)? {
            if Instant::now() > end {
                bail!("waited in vain for {what}; the lab's log is {}", self.state.join("log").display());
            }
            sleep(INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Lab {
    /// Both end by themselves when asked; nothing is left that a later start would not clear away.
    fn drop(&mut self) {
        for process in self.worker.iter_mut().chain([&mut self.server]) {
            let _ = command("kill", ["-TERM", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }
}

fn name(number: usize) -> String {
    format!("tiny-{number}")
}

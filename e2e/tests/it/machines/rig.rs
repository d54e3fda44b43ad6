//! A server and its workers, each on a machine of its own.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Finished, Missing, Network, Running, Sandbox, built};
use fs_err as fs;
use serde_json::Value;

/// How long anything may take that is quick on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The switch's machine, which the server and its people have.
pub(crate) const SERVER: u8 = 0;

/// A lab. Worker `n` (from 1) is on machine `n` and called `wN`.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) network: Network,
    pub(crate) server: Option<Running>,
    pub(crate) workers: Vec<Option<Running>>,
    /// More words for the server.
    pub(crate) server_words: Vec<String>,
    /// Directories with models, of each worker.
    models: Vec<Option<PathBuf>>,
}

impl Lab {
    /// A lab of so many workers, none of which was started yet; the server was.
    pub(crate) fn new(workers: u8, server_words: &[&str]) -> Result<Self, Missing> {
        let sandbox = Sandbox::new();
        let network = Network::new(&sandbox, workers + 1)?;
        let mut lab = Self {
            sandbox,
            network,
            server: None,
            workers: (0..=workers).map(|_| None).collect(),
            server_words: server_words.iter().map(|word| (*word).to_owned()).collect(),
            models: (0..=workers).map(|_| None).collect(),
        };
        // The tests' images are files, and their networks are private.
        lab.configure("[downloads]\nfiles = [\"/\"]\nprivate_addresses = true\n");
        lab.start_server();
        Ok(lab)
    }

    /// The operator's configuration of every machine, in place of one that lets jobs fetch anything.
    pub(crate) fn configure(&self, text: &str) {
        self.sandbox.write("config/pumice/config.toml", text);
    }

    pub(crate) fn url() -> String {
        format!("http://{}:8000", Network::address(SERVER))
    }

    pub(crate) fn start_server(&mut self) {
        let listen = format!("{}:8000", Network::address(SERVER));
        let mut command = self.sandbox.command("pumice", ["server", "--listen", &listen]);
        command.args(&self.server_words);
        let mut server = self.sandbox.start(&mut self.network.on(SERVER, &command));
        server.wait_for("the lab is at http://", PATIENCE);
        self.server = Some(server);
    }

    pub(crate) fn admin_token(&self) -> String {
        fs::read_to_string(self.sandbox.path().join("state/pumice/lab/admin.token")).unwrap()
    }

    /// Puts the stand-in's models on a worker's machine.
    pub(crate) fn install_models(&mut self, worker: u8) {
        let models = self.sandbox.path().join(format!("models{worker}"));
        fs::create_dir_all(&models).unwrap();
        let links = Command::new(built("model-standin")).arg("links").arg(&models).output().unwrap();
        assert!(links.status.success(), "{links:?}");
        self.models[usize::from(worker)] = Some(models);
    }

    /// Starts a worker, with caches and state of its own.
    pub(crate) fn start_worker(&mut self, worker: u8) {
        let name = format!("w{worker}");
        let home = self.sandbox.path().join(&name);
        let words = ["worker", "--plain-http", "--server", &Self::url(), "--name", &name];
        let mut command = self.sandbox.command("pumice", words);
        command.arg("--state").arg(home.join("worker")).env("PUMICE_WORKER_TOKEN", self.admin_token());
        command.env("XDG_STATE_HOME", home.join("state")).env("XDG_CACHE_HOME", home.join("cache"));
        if let Some(models) = &self.models[usize::from(worker)] {
            let search = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{search}", models.display()));
        }
        let started = self.sandbox.start(&mut self.network.on(worker, &command));
        self.workers[usize::from(worker)] = Some(started);
    }

    /// Waits until a worker is online.
    pub(crate) fn wait_for_worker(&self, worker: u8) {
        let name = format!("w{worker}");
        self.wait_until(&format!("worker {name}"), || {
            let Some(workers) = self.try_ask(&["workers", "--format", "json"]) else { return false };
            let workers = workers.as_array().cloned().unwrap_or_default();
            workers.iter().any(|worker| worker["hostname"] == *name && worker["state"] == "Online")
        });
    }

    /// Runs `pumice` as a person does, beside the server.
    pub(crate) fn pumice(&self, words: &[&str], limit: Duration) -> Finished {
        let command = self.sandbox.command("pumice", words);
        self.sandbox.start(&mut self.network.on(SERVER, &command)).wait(limit)
    }

    /// As [`Lab::pumice`], and goes on.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.sandbox.start(&mut self.network.on(SERVER, &self.sandbox.command("pumice", words)))
    }

    fn try_ask(&self, words: &[&str]) -> Option<Value> {
        let asked = self.pumice(words, PATIENCE);
        asked.status.success().then(|| serde_json::from_str(&asked.stdout).unwrap())
    }

    /// What `pumice` answers in JSON.
    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        let asked = self.pumice(&[words, &["--format", "json"]].concat(), PATIENCE);
        assert!(asked.status.success(), "{words:?}: {}", asked.stderr);
        serde_json::from_str(&asked.stdout).unwrap()
    }

    /// Submits a definition and answers the job's number.
    #[track_caller]
    pub(crate) fn submit(&self, name: &str, text: &str) -> String {
        let path = self.sandbox.write(&format!("{name}.yaml"), text);
        self.ask(&["submit", path.to_str().unwrap()])["submitted"].to_string()
    }

    /// Sends a request of LAVA's REST API with the administrator's token. `curl` stands for any client.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) {
        self.rest(path, &["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }

    /// As [`Lab::post`], for something to read.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.rest(path, &[])).unwrap()
    }

    #[track_caller]
    fn rest(&self, path: &str, more: &[&str]) -> String {
        let url = format!("{}/api/v0.2/{path}", Self::url());
        let token = format!("Authorization: Token {}", self.admin_token());
        let words = [&["-sS", "--fail-with-body", "-H", &token, &url], more].concat();
        let command = self.sandbox.foreign("curl", words);
        let sent = self.sandbox.start(&mut self.network.on(SERVER, &command)).wait(PATIENCE);
        assert!(sent.status.success(), "{path}: {}{}", sent.stdout, sent.stderr);
        sent.stdout
    }

    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "never came: {what}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What server and workers wrote to their standard error, for a failure.
    pub(crate) fn said(&self) -> String {
        let all = self.server.iter().chain(self.workers.iter().flatten());
        all.map(|running| running.output()[1].clone()).collect::<Vec<_>>().join("\n---\n")
    }
}

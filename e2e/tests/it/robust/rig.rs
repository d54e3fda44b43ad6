//! A lab on one host: a server and one worker, apart, each started as the test wants it.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Finished, Running, Sandbox, Signal};
use fs_err as fs;
use serde_json::{Value, json};

/// How long anything may take that is quick on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The lease in these tests, in seconds: what must outlast it need not wait for long.
pub(crate) const LEASE: u32 = 4;

/// How a test starts a program: as it is, or under a disk or a clock of its own.
type Wrap = Box<dyn Fn(Command) -> Command>;

/// A lab whose worker is called `w1`, with a device `d1` that runs what a job's file `script` says.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: Option<Running>,
    pub(crate) worker: Option<Running>,
    /// More words for the server, and for the worker.
    pub(crate) server_words: Vec<String>,
    pub(crate) worker_words: Vec<String>,
    wrap_server: Wrap,
    wrap_worker: Wrap,
    /// Where the server listens; the port is the system's choice until the server was started once.
    listen: String,
    url: String,
}

impl Lab {
    /// A lab in which nothing was started yet.
    pub(crate) fn new(sandbox: Sandbox) -> Self {
        Self {
            sandbox,
            server: None,
            worker: None,
            server_words: vec!["--lease".to_owned(), LEASE.to_string()],
            worker_words: Vec::new(),
            wrap_server: Box::new(|command| command),
            wrap_worker: Box::new(|command| command),
            listen: "127.0.0.1:0".to_owned(),
            url: String::new(),
        }
    }

    /// Starts the server through `wrap` from now on.
    pub(crate) fn server_by(mut self, wrap: impl Fn(Command) -> Command + 'static) -> Self {
        self.wrap_server = Box::new(wrap);
        self
    }

    /// Starts the worker through `wrap` from now on.
    pub(crate) fn worker_by(mut self, wrap: impl Fn(Command) -> Command + 'static) -> Self {
        self.wrap_worker = Box::new(wrap);
        self
    }

    /// The server's state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.sandbox.path().join("lab")
    }

    /// The worker's state directory.
    pub(crate) fn worker_state(&self) -> PathBuf {
        self.sandbox.path().join("worker")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn start_server(&mut self) {
        let mut command = self.sandbox.command("pumice", ["server", "--listen", &self.listen, "--state"]);
        command.arg(self.state()).args(&self.server_words);
        let mut server = self.sandbox.start(&mut (self.wrap_server)(command));
        server.wait_for("the lab is at http://", PATIENCE);
        let said = server.output()[0].clone();
        let url = said.lines().find_map(|line| line.strip_prefix("the lab is at ")).unwrap();
        url.clone_into(&mut self.url);
        url.trim_start_matches("http://").clone_into(&mut self.listen);
        if let Some(token) = said.lines().find_map(|line| line.strip_prefix("the token of admin: ")) {
            self.sandbox.write("token", token);
        }
        self.server = Some(server);
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.sandbox.path().join("token")).unwrap()
    }

    pub(crate) fn start_worker(&mut self) {
        let words = ["worker", "--server", &self.url, "--name", "w1", "--state"];
        let mut command = self.sandbox.command("pumice", words);
        command.arg(self.worker_state()).args(&self.worker_words).env("PUMICE_WORKER_TOKEN", self.token());
        self.worker = Some(self.sandbox.start(&mut (self.wrap_worker)(command)));
        self.wait_until("the worker is online", || {
            let workers = self.try_ask(&["workers"]).unwrap_or_default();
            workers.as_array().is_some_and(|all| all.iter().any(|worker| worker["state"] == "Online"))
        });
    }

    /// Starts both, and makes the device.
    pub(crate) fn start(&mut self) {
        self.start_server();
        self.start_worker();
        let device =
            json!({"hostname": "d1", "device_type": "command", "worker_host": "w1", "health": "Good"});
        self.post("devices/", &device);
        self.post("devices/d1/dictionary/", &json!({ "dictionary": DICTIONARY }));
    }

    /// A person's `pumice`, asking this lab.
    pub(crate) fn pumice(&self, words: &[&str]) -> Finished {
        let mut command = self.sandbox.command("pumice", words);
        command.env("PUMICE_URL", &self.url).env("PUMICE_TOKEN", self.token());
        self.sandbox.start(&mut command).wait(PATIENCE * 2)
    }

    pub(crate) fn try_ask(&self, words: &[&str]) -> Option<Value> {
        let asked = self.pumice(&[words, &["--format", "json"]].concat());
        asked.status.success().then(|| serde_json::from_str(&asked.stdout).unwrap())
    }

    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        let asked = self.pumice(&[words, &["--format", "json"]].concat());
        assert!(asked.status.success(), "{words:?}: {}{}", asked.stdout, asked.stderr);
        serde_json::from_str(&asked.stdout).unwrap()
    }

    /// The path of a job's definition: its machine runs `script`, and its cases are the lines `case_… pass` between
    /// `begin` and `end`.
    pub(crate) fn job(&self, name: &str, script: &str) -> PathBuf {
        let script = self.sandbox.write(&format!("{name}.sh"), script);
        self.sandbox.write(&format!("{name}.yaml"), definition(name, &script.display().to_string()))
    }

    /// Submits such a job and answers its number.
    #[track_caller]
    pub(crate) fn submit(&self, name: &str, script: &str) -> String {
        let path = self.job(name, script);
        self.ask(&["submit", path.to_str().unwrap()])["submitted"].to_string()
    }

    /// Waits for a job's end; answers its health.
    #[track_caller]
    pub(crate) fn health(&self, job: &str) -> String {
        self.wait_until(&format!("the end of job {job}"), || {
            self.try_ask(&["show", job]).is_some_and(|shown| shown["state"] == "Finished")
        });
        self.ask(&["show", job])["health"].as_str().unwrap().to_owned()
    }

    /// The cases of a job's own test, in their order.
    pub(crate) fn cases(&self, job: &str) -> Vec<String> {
        let results = self.ask(&["results", job]);
        let own = results.as_array().unwrap().iter().filter(|case| case["suite"] != "lava");
        own.map(|case| case["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Sends a request by `curl`: the status, the headers and the body.
    pub(crate) fn curl(&self, path: &str, more: &[&str]) -> (u16, String) {
        let (url, token) = (format!("{}{path}", self.url), format!("Authorization: Token {}", self.token()));
        let words = [&["-sS", "-i", "-H", &token, &url], more].concat();
        let sent = self.sandbox.start(&mut self.sandbox.foreign("curl", words)).wait(PATIENCE * 2);
        let status = sent.stdout.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or(0), sent.stdout + &sent.stderr)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) {
        let more = ["-H", "Content-Type: application/json", "-d", &body.to_string()];
        let (status, said) = self.curl(&format!("/api/v0.2/{path}"), &more);
        assert!(status < 300, "{path}: {said}");
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "never came: {what}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What server and worker wrote to their standard error.
    pub(crate) fn said(&self) -> String {
        let all = self.server.iter().chain(&self.worker);
        all.map(|running| running.output()[1].clone()).collect::<Vec<_>>().join("\n---\n")
    }

    /// Ends both, and sees that nothing is left.
    pub(crate) fn end(mut self) {
        for running in self.worker.take().into_iter().chain(self.server.take()) {
            running.signal(Signal::TERM);
            let ended = running.wait(PATIENCE);
            assert!(ended.status.success(), "{}", ended.stderr);
        }
        let wraps = (self.wrap_server, self.wrap_worker);
        drop(wraps);
        self.sandbox.is_empty_within(PATIENCE);
    }
}

const DICTIONARY: &str = "{% extends 'command.jinja2' %}\n{% set command = {'program': 'sh', 'arguments': [], \
    'consoles': [{'name': 'main', 'role': 'main', 'by': 'stdio'}], \
    'stop': [{'how': 'terminate', 'grace_seconds': 1}]} %}\n";

fn definition(name: &str, script: &str) -> String {
    format!(
        "job_name: {name}\ndevice_type: command\nvisibility: public\n\
         timeouts: {{job: {{minutes: 4}}, action: {{minutes: 3}}, connection: {{minutes: 3}}, queue: {{hours: 1}}}}\n\
         actions:\n\
         - deploy:\n    to: tmpfs\n    images:\n      script: {{url: 'file://{script}', image_arg: '{{script}}'}}\n\
         - boot: {{method: command, prompts: [ready], parameters: {{kernel-start-message: ''}}}}\n\
         - test:\n    monitors:\n    - {{name: own, start: begin, end: 'end of it', \
         pattern: '(?P<test_case_id>case_\\w+) (?P<result>pass)'}}\n"
    )
}

/// A script whose machine says one case, waits for the file `go`, says another, and ends.
pub(crate) fn waits_for(go: &std::path::Path) -> String {
    format!(
        "echo ready; echo begin; echo case_before pass; until [ -e {} ]; do sleep 0.1; done; echo case_after pass; \
         echo end of it; exec sleep 1000\n",
        go.display()
    )
}

//! A server on loopback for one test.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use pumice_server::{App, Config, Stopper};
use serde_json::{Value, json};

/// A running server; ends when dropped.
pub(crate) struct Lab {
    pub(crate) url: String,
    /// The administrator's token.
    pub(crate) token: String,
    stopper: Option<Stopper>,
    thread: Option<JoinHandle<()>>,
    state: tempfile::TempDir,
}

/// The device types that ship.
pub(crate) fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../library/device-types")
}

impl Lab {
    /// On SQLite.
    pub(crate) fn start() -> Self {
        Self::start_with(None, |_| {})
    }

    /// With another database, or other settings.
    pub(crate) fn start_with(database: Option<String>, change: impl FnOnce(&mut Config)) -> Self {
        let lab = Self::start_again(database, change);
        assert!(!lab.token.is_empty(), "the database is a new one");
        lab
    }

    /// On a database that may have been used: where it has an administrator already, nobody's token is known.
    pub(crate) fn start_again(database: Option<String>, change: impl FnOnce(&mut Config)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut config = Config::in_directory(state.path());
        config.library = vec![library()];
        config.private_callbacks = true;
        config.requests_per_second = 0;
        change(&mut config);
        let database =
            database.unwrap_or_else(|| format!("sqlite:{}", state.path().join("lab.db").display()));
        let (sender, receiver) = std::sync::mpsc::channel::<(SocketAddr, String, Stopper)>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let database = pumice_db::Database::open(&database).await.unwrap();
                let app = App::new(config, database).await.unwrap();
                let token = app.first_admin("admin").await.unwrap().unwrap_or_default();
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send((listener.local_addr().unwrap(), token, app.stopper())).unwrap();
                app.serve(listener).await;
            });
        });
        let (address, token, stopper) = receiver.recv().unwrap();
        Self { url: format!("http://{address}"), token, stopper: Some(stopper), thread: Some(thread), state }
    }

    /// Sends a request; the status and the body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// Asks REST as the administrator; panics when it is refused.
    pub(crate) fn rest(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, text) = self.rest_as(&self.token, method, path, body);
        assert!(status < 300, "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Asks REST with a token.
    pub(crate) fn rest_as(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, String) {
        let authorization = format!("Token {token}");
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(method, &format!("/api/v0.2{path}"), &headers, &body)
    }

    /// Every file that the server keeps: the database with what is not yet written back, logs, texts.
    pub(crate) fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut directories = vec![self.state.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    found.push((path, bytes));
                }
            }
        }
        found
    }

    /// Adds to a file below the state directory, as a server that was killed at once afterwards would have left it.
    pub(crate) fn append(&self, name: &str, bytes: &[u8]) {
        let path = self.state.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    }

    /// A worker `worker1` with a good device `virtual01`; answers the worker's token.
    pub(crate) fn with_device(&self) -> String {
        self.rest("POST", "/workers/", &json!({"hostname": "worker1"}));
        self.rest("POST", "/devicetypes/", &json!({"name": "virtual"}));
        self.rest("POST", "/devicetypes/virtual/template/", &json!({"config": "device_type: virtual\n"}));
        let device = json!({
            "hostname": "virtual01", "device_type": "virtual", "worker_host": "worker1", "health": "Good",
        });
        self.rest("POST", "/devices/", &device);
        let dictionary = json!({"dictionary": "{% extends 'virtual.jinja2' %}\n"});
        self.rest("POST", "/devices/virtual01/dictionary/", &dictionary);
        self.rest("GET", "/workers/worker1/", &Value::Null)["token"].as_str().unwrap().to_owned()
    }

    /// Submits a job for it and answers its number.
    pub(crate) fn submit(&self, more: &str) -> i64 {
        let submitted = self.rest("POST", "/jobs/", &json!({"definition": format!("{JOB}{more}")}));
        submitted["job_ids"][0].as_i64().unwrap()
    }

    /// A user who is nobody in particular; answers the token.
    pub(crate) fn user(&self, name: &str) -> String {
        let password = "correct horse";
        self.rest("POST", "/users/", &json!({"username": name, "password": password}));
        let given = self.rest("POST", "/token/", &json!({"username": name, "password": password}));
        given["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(stopper) = self.stopper.take() {
            stopper.stop();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A job that any lab takes.
pub(crate) const JOB: &str = "job_name: plain\ndevice_type: virtual\nvisibility: public\n\
    timeouts: {job: {minutes: 5}, action: {minutes: 3}, connection: {minutes: 2}}\n\
    actions:\n- deploy: {to: tmpfs, images: {kernel: {url: 'http://example.invalid/k', image_arg: '-kernel {kernel}'}}}\n\
    - boot: {method: qemu, media: tmpfs, prompts: ['#']}\n";

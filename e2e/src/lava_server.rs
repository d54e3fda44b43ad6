//! A real LAVA server: Debian's package, unpacked by `cargo xtask setup`, on a PostgreSQL that a test brings.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use fs_err as fs;
use serde_json::Value;

use crate::{Finished, Missing, Running, Sandbox, Signal};

/// Debian's Python, which the unpacked modules are made for.
const PYTHON: &str = "/usr/bin/python3";

/// How long its programs may take; a migration of its database makes a hundred tables.
const PATIENCE: Duration = Duration::from_secs(180);

/// Its web server and its scheduler, with an administrator `admin`.
#[derive(Debug)]
pub struct LavaServer {
    root: PathBuf,
    state: PathBuf,
    database: String,
    web: Option<Running>,
    scheduler: Option<Running>,
    /// Where the web server listens; the port is the system's choice the first time.
    bind: String,
    url: String,
}

/// The administrator's token.
const TOKEN: &str = "a-token-for-tests-of-pumice";

impl LavaServer {
    /// Starts one on an empty database that is reached by a socket in `socket_directory`.
    ///
    /// # Errors
    /// It was not unpacked: Debian 12 has it, other releases may not.
    ///
    /// # Panics
    /// When it was, and does not start.
    pub fn start(sandbox: &Sandbox, socket_directory: &str, database: &str) -> Result<Self, Missing> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/lava-server");
        if !root.join("stamp").is_file() || !Path::new(PYTHON).is_file() {
            return Err(Missing::rare("LAVA server in target/lava-server"));
        }
        let state = sandbox.path().join("lava-server");
        for name in ["media", "devices", "health-checks", "dispatchers"] {
            fs::create_dir_all(state.join(name)).unwrap();
        }
        let database = format!(
            "{{default: {{ENGINE: django.db.backends.postgresql, NAME: {database}, USER: postgres, HOST: {socket_directory}}}}}"
        );
        let bind = "127.0.0.1:0".to_owned();
        let mut server = Self { root, state, database, web: None, scheduler: None, bind, url: String::new() };
        server.manage(sandbox, &["migrate"]);
        server.manage(sandbox, &["users", "add", "--superuser", "--staff", "--passwd", "admin", "admin"]);
        server.manage(sandbox, &["tokens", "add", "--user", "admin", "--secret", TOKEN]);
        server.start_web(sandbox);
        let own = Self::own_name(sandbox);
        let words = ["lava-scheduler", "--level", "DEBUG", "--log-file", "-", "-u", &own, "-g", &own];
        server.scheduler = Some(sandbox.start(&mut server.managing(sandbox, &words)));
        Ok(server)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of this user, as which its scheduler goes on.
    fn own_name(sandbox: &Sandbox) -> String {
        sandbox.start(&mut sandbox.foreign("id", ["-un"])).wait(PATIENCE).stdout.trim().to_owned()
    }

    fn python(&self, sandbox: &Sandbox, words: &[&str]) -> Command {
        let mut command = sandbox.foreign(PYTHON, words);
        let types = self.root.join("usr/share/lava-server/device-types");
        for (name, value) in [
            ("PYTHONPATH", self.root.join("usr/lib/python3/dist-packages").display().to_string()),
            ("LD_LIBRARY_PATH", self.root.join("usr/lib/x86_64-linux-gnu").display().to_string()),
            ("PYTHONUNBUFFERED", "1".to_owned()),
            ("DJANGO_SETTINGS_MODULE", "lava_server.settings.prod".to_owned()),
            ("SECRET_KEY", "of a test".to_owned()),
            ("ALLOWED_HOSTS", "*".to_owned()),
            ("LAVA_YAML_SETTINGS_DATABASES", self.database.clone()),
            ("LAVA_YAML_SETTINGS_EVENT_NOTIFICATION", "false".to_owned()),
            ("LAVA_YAML_SETTINGS_DEVICE_TYPES_PATHS", format!("[{}]", types.display())),
            ("LAVA_SETTINGS_DJANGO_LOGFILE", self.state.join("django.log").display().to_string()),
            ("LAVA_SETTINGS_MEDIA_ROOT", self.state.join("media").display().to_string()),
            ("LAVA_SETTINGS_DEVICES_PATH", self.state.join("devices").display().to_string()),
            ("LAVA_SETTINGS_HEALTH_CHECKS_PATH", self.state.join("health-checks").display().to_string()),
            ("LAVA_SETTINGS_DISPATCHER_CONFIG_PATH", self.state.join("dispatchers").display().to_string()),
        ] {
            command.env(name, value);
        }
        command
    }

    fn managing(&self, sandbox: &Sandbox, words: &[&str]) -> Command {
        let program = self.root.join("usr/bin/lava-server");
        self.python(sandbox, &[&[program.to_str().unwrap(), "manage"], words].concat())
    }

    /// One of its management commands.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn manage(&self, sandbox: &Sandbox, words: &[&str]) -> Finished {
        let ran = sandbox.start(&mut self.managing(sandbox, words)).wait(PATIENCE);
        assert!(ran.status.success(), "{words:?}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Makes a device of a type that LAVA ships, with its dictionary, on a worker; answers the worker's token.
    ///
    /// # Panics
    /// When LAVA refuses.
    pub fn device(&self, sandbox: &Sandbox, worker: &str, device_type: &str, name: &str) -> String {
        let made = self.manage(sandbox, &["workers", "add", worker]);
        self.manage(sandbox, &["device-types", "add", device_type]);
        let dictionary =
            format!("{{% extends '{device_type}.jinja2' %}}\n{{% set mac_addr = '52:54:00:12:34:56' %}}\n");
        fs::write(self.state.join("devices").join(format!("{name}.jinja2")), dictionary).unwrap();
        self.manage(sandbox, &["devices", "add", "--device-type", device_type, "--worker", worker, name]);
        self.manage(sandbox, &["devices", "update", "--health", "GOOD", name]);
        made.stdout.trim().trim_start_matches("Token:").trim().to_owned()
    }

    /// Starts the web server, where it was before if it was started before.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_web(&mut self, sandbox: &Sandbox) {
        let words =
            ["-m", "gunicorn.app.wsgiapp", "lava_server.wsgi", "--workers", "2", "--bind", &self.bind];
        let mut web = sandbox.start(&mut self.python(sandbox, &words));
        web.wait_for("Listening at: http://", PATIENCE);
        let said = web.output().concat();
        let (_, address) = said.split_once("Listening at: ").unwrap();
        let url = address.split(' ').next().unwrap();
        url.clone_into(&mut self.url);
        url.trim_start_matches("http://").clone_into(&mut self.bind);
        self.web = Some(web);
    }

    /// Kills the web server; its children notice and end.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill_web(&mut self) {
        let web = self.web.take().unwrap();
        web.signal(Signal::KILL);
        drop(web.wait(PATIENCE));
    }

    /// Asks its REST API as the administrator.
    ///
    /// # Panics
    /// When it does not answer in JSON.
    #[track_caller]
    pub fn ask(&self, sandbox: &Sandbox, path: &str, more: &[&str]) -> Value {
        let said = self.text(sandbox, path, more);
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{path}: {said}"))
    }

    /// As [`LavaServer::ask`], for what is no JSON.
    ///
    /// # Panics
    /// When there is no `curl`.
    pub fn text(&self, sandbox: &Sandbox, path: &str, more: &[&str]) -> String {
        let (url, token) = (format!("{}/api/v0.2/{path}", self.url), format!("Authorization: Token {TOKEN}"));
        let words = [&["-sS", "-H", &token, &url], more].concat();
        sandbox.start(&mut sandbox.foreign("curl", words)).wait(PATIENCE).stdout
    }

    /// What its programs said, for a failure.
    ///
    /// # Panics
    /// When that cannot be read.
    pub fn said(&self) -> String {
        let all = self.web.iter().chain(&self.scheduler);
        all.map(|running| running.output().concat()).collect::<Vec<_>>().join("\n---\n")
    }
}

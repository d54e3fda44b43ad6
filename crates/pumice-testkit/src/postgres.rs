//! A private PostgreSQL for one test process, or the one that `PUMICE_TEST_POSTGRES` names.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A server whose databases may be made and dropped at will.
#[derive(Debug)]
pub struct Postgres {
    /// Everything of an address but the database's name: `{before}NAME{after}`.
    before: String,
    after: String,
    private: Option<Private>,
}

#[derive(Debug)]
struct Private {
    server: Child,
    _directory: tempfile::TempDir,
}

impl Postgres {
    /// Starts one, or says why there is none.
    ///
    /// # Errors
    /// Debian's PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self, String> {
        if let Ok(url) = std::env::var("PUMICE_TEST_POSTGRES") {
            let (address, query) =
                url.split_once('?').map_or((url.as_str(), String::new()), |(a, q)| (a, format!("?{q}")));
            let (before, _) = address.rsplit_once('/').ok_or("PUMICE_TEST_POSTGRES has no database")?;
            return Ok(Self { before: format!("{before}/"), after: query, private: None });
        }
        let programs =
            programs().ok_or("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql")?;
        let user = unprivileged()?;
        let directory =
            tempfile::Builder::new().prefix("pumice-pg-").tempdir_in("/tmp").map_err(|e| e.to_string())?;
        let path = directory.path().to_owned();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).map_err(|e| e.to_string())?;
        let data = path.join("data");
        let as_user = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(&path).stdin(Stdio::null());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let made = as_user(&programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .arg(&data)
            .output()
            .map_err(|e| e.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        // `timeout` ends it even when the test is killed before it can.
        let mut server = as_user(Path::new("timeout"))
            .args(["--signal=QUIT", "7200"])
            .arg(programs.join("postgres"))
            .args(["-c", "fsync=off", "-c", "listen_addresses=", "-c", "logging_collector=off"])
            .args(["-c", "lc_messages=C", "-c", "max_connections=200"])
            .arg("-k")
            .arg(&path)
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let log = server.stderr.take().ok_or("no stderr")?;
        let mut lines = BufReader::new(log).lines();
        let ready =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept connections"));
        // The pipe is drained for as long as the server lives, so that it never blocks.
        std::thread::spawn(move || lines.for_each(drop));
        let before = "postgres://postgres@localhost/".to_owned();
        let private = Some(Private { server, _directory: directory });
        let postgres = Self { before, after: format!("?host={}", path.display()), private };
        if ready { Ok(postgres) } else { Err("postgres ended before it was ready".to_owned()) }
    }

    /// The address of a database.
    pub fn url(&self, name: &str) -> String {
        format!("{}{name}{}", self.before, self.after)
    }

    /// Makes an empty database and answers its address.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn fresh(&self, name: &str) -> String {
        let maintenance = format!("--maintenance-db={}", self.url("postgres"));
        for (program, more) in [("dropdb", Some("--if-exists")), ("createdb", None)] {
            let path = programs().map_or_else(|| PathBuf::from(program), |programs| programs.join(program));
            let output = Command::new(path).arg(&maintenance).args(more).arg(name).output();
            let output = output.expect("PostgreSQL's programs run");
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.url(name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(private) = &mut self.private {
            if let Some(id) = rustix::process::Pid::from_raw(private.server.id().cast_signed()) {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
            }
            let _ = private.server.wait();
        }
    }
}

/// The newest of Debian's installations.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|path| path.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// Whom to run it as: PostgreSQL refuses root. `None` when we are not root.
fn unprivileged() -> Result<Option<(u32, u32)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|e| e.to_string())?;
    let fields =
        ["postgres:", "nobody:"].iter().find_map(|name| users.lines().find(|line| line.starts_with(name)));
    let mut fields = fields.ok_or("neither `postgres` nor `nobody` is in /etc/passwd")?.split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).ok_or("/etc/passwd is unreadable");
    Ok(Some((number()?, number()?)))
}

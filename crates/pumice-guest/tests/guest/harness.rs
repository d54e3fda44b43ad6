//! A guest without a machine: an overlay laid on this host's disk, run by a shell that guests have, with only the
//! programs that a test gives it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use pumice_guest::{
    Contents, SessionEvent, SignalReader, TestDefinition, TestSession, definition,
    overlay::{self, Channel, Overlay, TestRun},
    session::{Moment, Origin, PlannedRun, RunSource, SessionPlan},
    signal::Received,
};
use pumice_types::{JobId, SourceId};

/// The shells that guests have.
const SHELLS: [(&str, &[&str]); 2] =
    [("dash", &["/bin/dash", "/usr/bin/dash"]), ("busybox", &["/bin/busybox", "/usr/bin/busybox"])];

/// What a guest must have for the helpers: POSIX programs that every busybox has too.
const PROGRAMS: [&str; 22] = [
    "cat", "chmod", "cp", "cut", "date", "env", "grep", "head", "kill", "ln", "ls", "mkdir", "mkfifo", "mv",
    "rm", "sed", "setsid", "sleep", "sort", "stty", "uname", "wc",
];

/// Runs `test` in a fresh guest for each shell.
#[track_caller]
pub(crate) fn each_shell(test: impl Fn(Guest)) {
    for (name, places) in SHELLS {
        match places.iter().map(Path::new).find(|path| path.exists()) {
            Some(program) => {
                println!("--- {name}");
                test(Guest::new(name, program));
            }
            None => println!("skipped under {name}: it is not installed (apt-get install {name})"),
        }
    }
}

/// A guest.
pub(crate) struct Guest {
    folder: tempfile::TempDir,
    /// The name of its shell.
    pub(crate) shell: &'static str,
    environment: Vec<(String, String)>,
}

/// What a command in the guest left.
pub(crate) struct Ran {
    /// Its exit status.
    pub(crate) status: i32,
    /// Its standard output.
    pub(crate) output: String,
    /// Its standard error.
    pub(crate) errors: String,
}

impl Guest {
    fn new(shell: &'static str, program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["tools", "fake", "tmp", "etc"] {
            fs::create_dir(path(name)).unwrap();
        }
        symlink(program, path("tools/sh")).unwrap();
        for name in PROGRAMS {
            let busybox = (shell == "busybox").then(|| program.to_owned());
            let system = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
            if let Some(target) = busybox.or_else(|| system.into_iter().find(|path| path.exists())) {
                symlink(target, path("tools").join(name)).unwrap();
            }
        }
        Self { folder, shell, environment: Vec::new() }
    }

    /// Another guest like this one, with nothing in it.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.shell, &fs::canonicalize(self.path("tools/sh")).unwrap())
    }

    /// A path in the guest's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the overlay.
    pub(crate) fn root(&self) -> String {
        self.path("lava-7").to_str().unwrap().to_owned()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Reads a file; empty when there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Installs a program: a script of the guest's shell that finds the guest's folder in `$GUEST`.
    pub(crate) fn program(&self, name: &str, body: &str) {
        let path = self.path("fake").join(name);
        let guest = self.folder.path().display();
        fs::write(&path, format!("#!{guest}/tools/sh\nGUEST={guest}\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Sets a variable for all commands.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Lays the overlay of `overlay`, its scripts made to run under this guest's shell.
    pub(crate) fn lay(&self, overlay: &Overlay) {
        let mut seen = BTreeSet::new();
        for file in overlay::build(overlay) {
            assert!(seen.insert(file.path.clone()), "{} is there twice", file.path);
            let path = Path::new("/").join(&file.path);
            assert!(path.starts_with(self.folder.path()), "{}", path.display());
            match file.contents {
                Contents::Directory => fs::create_dir_all(&path).unwrap(),
                Contents::Bytes(bytes) => {
                    let text = String::from_utf8(bytes.into_owned()).unwrap();
                    let shell = self.path("tools/sh").display().to_string();
                    let text = text.replacen("#!/bin/sh\n", &format!("#!{shell}\n"), 1);
                    let text =
                        text.replace("LAVA_STEP_SHELL='/bin/sh'", &format!("LAVA_STEP_SHELL='{shell}'"));
                    fs::write(&path, text).unwrap();
                }
                Contents::HostPath(from) => fs::copy(from, &path).map(drop).unwrap(),
                Contents::Link(target) => symlink(target, &path).unwrap(),
                Contents::Pipe => {
                    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
                }
            }
            if path.exists() {
                fs::set_permissions(path, fs::Permissions::from_mode(file.mode)).unwrap();
            }
        }
    }

    /// A command line in the guest's shell, the helpers in its PATH.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(self.path("tools/sh"));
        let path = format!("{}/bin:{}", self.root(), self.path("fake").display());
        command
            .args(["-c", line])
            .env_clear()
            .env("PATH", format!("{path}:{}", self.path("tools").display()))
            .env("TMPDIR", self.path("tmp"))
            .env("LAVA_ETC", self.path("etc"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let output = self.command(line).output().unwrap();
        let ran = Ran {
            status: output.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        println!("$ {line}\n{}{}", ran.output, ran.errors);
        ran
    }

    /// A named pipe that stands for a device.
    pub(crate) fn device(&self, name: &str) -> Device {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Device::open(&path)
    }
}

/// The host's end of a channel: reads everything that is written to a named pipe.
pub(crate) struct Device {
    /// The path in the guest.
    pub(crate) path: String,
    pipe: File,
    reader: Option<std::thread::JoinHandle<Vec<u8>>>,
}

/// What ends the reading. No guest writes it.
const STOP: &[u8] = b"\x04stop\n";

impl Device {
    fn open(path: &Path) -> Self {
        // Opened both ways, so that neither end waits for the other and the reader sees no end of file.
        let pipe = File::options().read(true).write(true).open(path).unwrap();
        let mut end = pipe.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut piece = [0; 4096];
            while !bytes.ends_with(STOP) {
                let length = end.read(&mut piece).unwrap();
                bytes.extend_from_slice(&piece[..length]);
            }
            bytes.truncate(bytes.len() - STOP.len());
            bytes
        });
        Self { path: path.to_str().unwrap().to_owned(), pipe, reader: Some(reader) }
    }

    /// Everything that was written so far; nothing more is read.
    pub(crate) fn take(mut self) -> Vec<u8> {
        self.pipe.write_all(STOP).unwrap();
        self.reader.take().unwrap().join().unwrap()
    }
}

/// A device that leads to the host.
pub(crate) fn channel(device: &str, is_ready: bool) -> Channel {
    Channel { device: device.to_owned(), is_ready }
}

/// An overlay with nothing in it.
pub(crate) fn overlay(guest: &Guest) -> Overlay {
    Overlay {
        job: JobId(7),
        root: guest.root(),
        os: None,
        environment: Vec::new(),
        secrets: Vec::new(),
        channel: Vec::new(),
        multi_node: None,
        runs: Vec::new(),
    }
}

/// A test of stage 0 from a definition's text without its metadata.
pub(crate) fn test(number: u32, name: &str, text: &str) -> TestRun {
    let text = format!("metadata: {{format: {}, name: {name}}}\n{text}", definition::FORMAT);
    let definition = parse(&text);
    TestRun {
        stage: 0,
        number,
        name: name.to_owned(),
        uuid: format!("7_1.{number}"),
        definition,
        text,
        parameters: definition::Parameters::default(),
        skip_install: Vec::new(),
        kernel_log: false,
        metadata: Vec::new(),
        files: Vec::new(),
    }
}

fn parse(text: &str) -> TestDefinition {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let (definition, diagnostics) = definition::parse(&node.unwrap());
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    definition.unwrap()
}

/// The session for the tests of an overlay.
pub(crate) fn session(overlay: &Overlay) -> TestSession {
    let runs = overlay.runs.iter().map(|run| PlannedRun {
        suite: run.suite(),
        source: RunSource { uuid: run.uuid.clone(), ..RunSource::default() },
        expected: run.definition.expected.clone(),
        pattern: run.definition.pattern.clone(),
    });
    TestSession::new(SessionPlan { stage: 0, runs: runs.collect() })
}

/// Feeds a session and shows what it says, a line for each.
pub(crate) fn tell(session: &mut TestSession, origin: Origin, bytes: &[u8]) -> Vec<String> {
    let mut reader = match origin {
        Origin::Console => SignalReader::console(),
        Origin::Channel => SignalReader::channel(),
    };
    let mut found = Vec::new();
    reader.push(bytes, &mut found);
    let moment = |received: &Received| Moment { at: Duration::ZERO, line: received.end };
    found
        .into_iter()
        .flat_map(|received| {
            let moment = moment(&received);
            session.receive(origin, received.signal, moment)
        })
        .filter_map(|event| show(&event))
        .collect()
}

fn show(event: &SessionEvent) -> Option<String> {
    Some(match event {
        SessionEvent::Result(outcome) => {
            let mut text = format!("{}/{} {}", outcome.suite, outcome.case, outcome.result);
            if let Some(set) = &outcome.set {
                let _ = write!(text, " in {set}");
            }
            if let Some(measurement) = outcome.measurement {
                let _ = write!(text, " {measurement}");
            }
            if let Some(units) = &outcome.units {
                let _ = write!(text, " {units}");
            }
            if let Some(reference) = &outcome.reference {
                let _ = write!(text, " see {reference}");
            }
            if let Some(reason) = &outcome.reason {
                let _ = write!(text, ": {reason}");
            }
            text
        }
        SessionEvent::RunStarted { .. } | SessionEvent::RunEnded { .. } => return None,
        SessionEvent::Complaint(error) => format!("complaint: {error}"),
        SessionEvent::Warning(text) => format!("warning: {text}"),
        SessionEvent::Event(text) => format!("event: {text}"),
        SessionEvent::Feedback(namespace) => format!("feedback: {namespace}"),
        SessionEvent::MultiNode(request) => format!("{request:?}"),
        SessionEvent::ReturnCode(status) => format!("status {status}"),
        SessionEvent::AwaitChannel => "await channel".to_owned(),
        SessionEvent::Over(None) => "over".to_owned(),
        SessionEvent::Over(Some(failure)) => format!("over: {}: {failure}", failure.cause.code()),
    })
}

/// Lays `overlay`, runs stage 0 on the console, and shows what the session says.
pub(crate) fn run_on_console(guest: &Guest, overlay: &Overlay) -> Vec<String> {
    guest.lay(overlay);
    let ran = guest.run(&format!("lava-test-runner {}/0", guest.root()));
    tell(&mut session(overlay), Origin::Console, ran.output.as_bytes())
}

//! Starting a model and watching it.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A test that waits this long has failed: on a machine that does ten other things too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);
/// How long silence is listened to where a test wants to see that nothing comes.
const SILENCE: Duration = Duration::from_millis(300);

/// A directory with what a test needs.
pub(crate) struct Rig {
    pub(crate) directory: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path.display().to_string()
    }

    /// An AXF that the stand-in takes for a boot-wrapper.
    pub(crate) fn axf(&self) -> String {
        let path = self.path("boot.axf");
        let status = Command::new(program()).arg("axf").arg(&path).status().unwrap();
        assert!(status.success());
        path.display().to_string()
    }

    /// The stand-in under another name.
    pub(crate) fn link(&self, name: &str) -> PathBuf {
        let link = self.path(name);
        if link.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(program(), &link).unwrap();
        }
        link
    }

    /// Runs a model with a scripted guest.
    pub(crate) fn script(&self, name: &str, script: &str, knobs: &str, words: &[&str]) -> Model {
        let path = self.file("guest.script", script);
        self.start(name, &format!("guest=script:{path},{knobs}"), words)
    }

    pub(crate) fn start(&self, name: &str, knobs: &str, words: &[&str]) -> Model {
        self.start_with(name, knobs, words, &[])
    }

    /// Runs a model, line-buffered so that a test sees what it prints, with some environment.
    pub(crate) fn start_with(
        &self,
        name: &str,
        knobs: &str,
        words: &[&str],
        environment: &[(&str, &str)],
    ) -> Model {
        let mut command = self.command(name, knobs, words);
        command.envs(environment.iter().copied());
        Model::spawn(command)
    }

    pub(crate) fn command(&self, name: &str, knobs: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.link(name));
        let knobs = format!("line_buffered=1,die_with_parent=1,log={},{knobs}", self.path("log").display());
        command
            .args(words)
            .env("MODEL_STANDIN", knobs)
            .env_remove("DISPLAY")
            .current_dir(self.directory.path());
        for name in ["ARMLMD_LICENSE_FILE", "LM_LICENSE_FILE", "ARMLM_CACHED_LICENSES_LOCATION"] {
            command.env_remove(name);
        }
        command.env("HOME", self.directory.path());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, name: &str, knobs: &str, words: &[&str]) -> Ended {
        self.start(name, knobs, words).end()
    }

    /// The stand-in's own log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until the log says so, that many times.
    #[track_caller]
    pub(crate) fn expect_log(&self, needle: &str, times: usize) {
        wait_until(needle, || self.log().matches(needle).count() >= times);
    }
}

/// Whether a process of the group runs. One that has ended and that nobody collects, as in a container without an
/// init, does not (`proc_pid_stat(5)`: state, parent and group follow the name).
pub(crate) fn group_runs(group: i32) -> bool {
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        Some(stat.rsplit_once(')')?.1.to_owned())
    });
    let group = group.to_string();
    stats.map(|stat| stat.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>()).any(|fields| {
        fields.get(2) == Some(&group) && fields.first().is_some_and(|state| state != "Z" && state != "X")
    })
}

/// Looks again and again until it is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never seen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_model-standin"))
}

/// Switches that keep a model on the Versatile Express or Base platform to itself.
pub(crate) fn quiet(root: &str) -> Vec<String> {
    let mut words: Vec<String> =
        (0..4).flat_map(|at| ["-C".to_owned(), format!("{root}.terminal_{at}.start_telnet=0")]).collect();
    words.extend(["-C".to_owned(), format!("{root}.vis.disable_visualisation=1")]);
    words
}

/// Puts slices together.
pub(crate) fn words<'a>(first: &'a [String], rest: &[&'a str]) -> Vec<&'a str> {
    first.iter().map(String::as_str).chain(rest.iter().copied()).collect()
}

#[derive(Default)]
struct Seen {
    text: Vec<u8>,
    closed: usize,
}

/// Bytes that arrive in the background.
#[derive(Clone, Default)]
pub(crate) struct Stream {
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Stream {
    fn collect(&self, mut from: impl Read + Send + 'static) {
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || {
            let mut chunk = vec![0; 1 << 16];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                seen.0.lock().unwrap().text.extend_from_slice(&chunk[..count]);
                seen.1.notify_all();
            }
            seen.0.lock().unwrap().closed += 1;
            seen.1.notify_all();
        });
    }

    /// Waits until `wanted` says yes; false when the time is up.
    fn wait(&self, patience: Duration, wanted: impl Fn(&Seen) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        let mut seen = self.seen.0.lock().unwrap();
        while !wanted(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
        true
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().text.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.0.lock().unwrap().text.len()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    #[track_caller]
    pub(crate) fn expect(&self, needle: &str) {
        let found = self.wait(PATIENCE, |seen| contains(&seen.text, needle.as_bytes()));
        let text = self.text();
        let tail: String = text.chars().rev().take(3000).collect::<Vec<_>>().into_iter().rev().collect();
        assert!(found, "`{needle}` did not come; what did ends in:\n{tail}");
    }

    #[track_caller]
    pub(crate) fn expect_bytes(&self, count: usize) {
        let found = self.wait(PATIENCE, |seen| seen.text.len() >= count);
        assert!(found, "only {} of {count} bytes came", self.len());
    }

    #[track_caller]
    pub(crate) fn expect_end(&self) {
        assert!(self.wait(PATIENCE, |seen| seen.closed > 0), "the other end stays open");
    }

    /// Whether more than `count` bytes have come once nothing has come for a while.
    pub(crate) fn settled(&self) -> usize {
        let mut before = self.len();
        while self.wait(SILENCE, |seen| seen.text.len() > before) {
            before = self.len();
        }
        before
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len().max(1)).any(|window| window == needle)
}

/// A client of a terminal, reading in the background.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) seen: Stream,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let seen = Stream::default();
        seen.collect(stream.try_clone().unwrap());
        Self { stream, seen }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    #[track_caller]
    pub(crate) fn expect(&self, needle: &str) {
        self.seen.expect(needle);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stream.shutdown(std::net::Shutdown::Both));
    }
}

/// How a model ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running model; killed, with its group, when the test is done with it.
pub(crate) struct Model {
    child: Child,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
}

impl Model {
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (Stream::default(), Stream::default());
        stdout.collect(child.stdout.take().unwrap());
        stderr.collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// A model whose output nobody reads until it is asked for.
    pub(crate) fn spawn_unread(mut command: Command) -> (Self, std::process::ChildStdout) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap();
        let pipe = child.stdout.take().unwrap();
        (Self { child, stdout: Stream::default(), stderr: Stream::default() }, pipe)
    }

    pub(crate) fn read_stdout(&self, pipe: std::process::ChildStdout) {
        self.stdout.collect(pipe);
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The announced terminals so far, in their order.
    pub(crate) fn announced(&self) -> Vec<(String, u16)> {
        let text = self.stdout.text();
        let marker = ": Listening for serial connection on port ";
        text.match_indices(marker)
            .map(|(at, _)| {
                let before = text[..at].rsplit(|letter: char| letter.is_whitespace()).next().unwrap_or("");
                let name = before.trim_start_matches(|letter: char| letter.is_ascii_digit());
                let digits: String =
                    text[at + marker.len()..].chars().take_while(char::is_ascii_digit).collect();
                (name.to_owned(), digits.parse().unwrap_or(0))
            })
            .collect()
    }

    /// Waits for that many announcements.
    #[track_caller]
    pub(crate) fn ports(&self, count: usize) -> Vec<(String, u16)> {
        let marker = b"Listening for serial connection on port ";
        let all = self.stdout.wait(PATIENCE, |seen| {
            let complete = seen.text.last() == Some(&b'\n');
            complete && seen.text.windows(marker.len()).filter(|window| window == marker).count() >= count
        });
        assert!(all, "not {count} announcements in:\n{}\n{}", self.stdout.text(), self.stderr.text());
        self.announced()
    }

    /// Connects to a terminal by its name.
    #[track_caller]
    pub(crate) fn connect(&self, name: &str) -> Client {
        let by_name: BTreeMap<_, _> = self.ports(1).into_iter().collect();
        Client::connect(*by_name.get(name).unwrap_or_else(|| panic!("no {name} in {by_name:?}")))
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the model does not end; it printed:\n{}", self.stdout.text());
            std::thread::sleep(Duration::from_millis(5));
        };
        self.stdout.expect_end();
        self.stderr.expect_end();
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub(crate) fn stop(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.end()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            drop(self.child.wait());
        }
    }
}

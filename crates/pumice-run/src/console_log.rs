//! What the consoles of a machine say, on its way to the log, to the transcript and to the tests.
//!
//! One recorder serves all consoles of a machine. It runs in the task that drains a console, so nothing it finds
//! can be missed, however busy the rest is: lines go to the log, raw bytes to the transcript, signals of the
//! tests into a queue with their place in the log.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use pumice_console::{LineSplitter, Recorder, transcript};
use pumice_guest::{
    session::{Moment, Origin},
    signal::{Received, SignalReader},
};
use pumice_platform::ConsoleRole;
use pumice_record::LogLevel;
use pumice_types::Mask;
use tokio::sync::mpsc;

use crate::report::{Progress, Reporter};

/// A signal that was heard.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What was found.
    pub(crate) received: Received,
    /// Which way it came.
    pub(crate) origin: Origin,
    /// When, and where in the log.
    pub(crate) moment: Moment,
}

/// The most bytes of a transcript: a guest that floods its console must not fill the disk.
const TRANSCRIPT_LIMIT_BYTES: u64 = 1 << 30;

/// The most bytes of a console that nobody waits for, and of the simulator's own output, that go to the log: one
/// that floods must not fill it. The transcript has the rest.
const FEEDBACK_LIMIT_BYTES: u64 = 16 << 20;

/// The recorder of a machine. Copies share it.
#[derive(Clone)]
pub(crate) struct ConsoleLog(Arc<Mutex<Inner>>);

struct Inner {
    reporter: Reporter,
    namespace: String,
    roles: HashMap<String, ConsoleRole>,
    consoles: HashMap<String, Stream>,
    transcript: Option<transcript::Writer<Box<dyn Write + Send>>>,
    mask: Mask,
    start: Instant,
    heard: mpsc::UnboundedSender<Heard>,
}

/// What is known of one console between two chunks.
struct Stream {
    lines: LineSplitter,
    signals: Option<SignalReader>,
    /// Bytes of a line that may still turn out to hold a secret.
    held: Vec<u8>,
    /// Bytes heard so far.
    heard_bytes: u64,
}

impl Stream {
    /// Whether the log has had enough of it.
    fn is_full(&self, role: ConsoleRole) -> bool {
        role == ConsoleRole::Feedback && self.heard_bytes > FEEDBACK_LIMIT_BYTES
    }
}

impl ConsoleLog {
    /// A recorder for the machine of `namespace` whose consoles have these roles, and the queue of its signals.
    /// The transcript is written to `file`, without the secrets.
    pub(crate) fn new(
        reporter: Reporter,
        namespace: &str,
        roles: HashMap<String, ConsoleRole>,
        file: Option<Box<dyn Write + Send>>,
        mask: Mask,
    ) -> (Self, mpsc::UnboundedReceiver<Heard>) {
        let (heard, queue) = mpsc::unbounded_channel();
        let start = Instant::now();
        let transcript =
            file.and_then(|file| match transcript::Writer::new(file, start, TRANSCRIPT_LIMIT_BYTES) {
                Ok(writer) => Some(writer),
                Err(error) => {
                    reporter.warning(format!("no transcript is kept: {error}"));
                    None
                }
            });
        let namespace = namespace.to_owned();
        let consoles = HashMap::new();
        let inner = Inner { reporter, namespace, roles, consoles, transcript, mask, start, heard };
        (Self(Arc::new(Mutex::new(inner))), queue)
    }

    /// When the times of its signals begin.
    pub(crate) fn start(&self) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).start
    }

    fn with(&self, act: impl FnOnce(&mut Inner)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Inner {
    fn role(&self, console: &str) -> ConsoleRole {
        self.roles.get(console).copied().unwrap_or(ConsoleRole::Feedback)
    }

    fn take_stream(&mut self, console: &str) -> Stream {
        self.consoles.remove(console).unwrap_or_else(|| Stream {
            lines: LineSplitter::new(),
            signals: match self.role(console) {
                ConsoleRole::Main => Some(SignalReader::console()),
                ConsoleRole::Channel => Some(SignalReader::channel()),
                ConsoleRole::Feedback => None,
            },
            held: Vec::new(),
            heard_bytes: 0,
        })
    }

    fn bytes(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        let mut stream = self.take_stream(console);
        let role = self.role(console);
        self.transcribe(&mut stream, console, at, bytes);
        let was_full = stream.is_full(role);
        stream.heard_bytes = stream.heard_bytes.saturating_add(bytes.len() as u64);
        if role != ConsoleRole::Channel && !was_full {
            self.reporter.progress(&Progress::Console { name: console, bytes });
            stream.lines.feed(bytes, |line| self.line(role, console, line));
            if stream.is_full(role) {
                self.reporter.warning(format!(
                    "the simulator's {console} said more than {} MiB: what follows is in the transcript only",
                    FEEDBACK_LIMIT_BYTES >> 20
                ));
            }
        }
        if let Some(signals) = &mut stream.signals {
            let mut found = Vec::new();
            signals.push(bytes, &mut found);
            for received in found {
                self.signal(role, received, at);
            }
        }
        self.consoles.insert(console.to_owned(), stream);
    }

    fn line(&self, role: ConsoleRole, console: &str, line: &str) {
        match role {
            ConsoleRole::Main => self.reporter.log(LogLevel::Target, line),
            // A secondary console has no namespace of its own; its name stands for one.
            _ => self.reporter.feedback(console, line),
        }
    }

    fn signal(&mut self, role: ConsoleRole, received: Received, at: Instant) {
        let origin = if role == ConsoleRole::Channel { Origin::Channel } else { Origin::Console };
        let line = self.reporter.lines();
        if origin == Origin::Channel {
            // Tools look for the signal's text near the place in the log that a result names (clients.md 1).
            self.reporter.log(LogLevel::Target, format!("<LAVA_SIGNAL_{}>", received.text));
        } else {
            self.reporter.debug(format!("received signal {}", received.text.trim_matches(['<', '>'])));
        }
        let moment = Moment { at: at.saturating_duration_since(self.start), line };
        // Nobody listens between two test blocks; what comes then was not asked for.
        drop(self.heard.send(Heard { received, origin, moment }));
    }

    /// Writes to the transcript. With secrets, whole lines are written, so that one cannot hide in two pieces.
    fn transcribe(&mut self, stream: &mut Stream, console: &str, at: Instant, bytes: &[u8]) {
        let Some(transcript) = &mut self.transcript else { return };
        if self.mask.is_empty() {
            transcript.bytes(console, at, bytes);
            return;
        }
        stream.held.extend_from_slice(bytes);
        let Some(end) = stream.held.iter().rposition(|byte| *byte == b'\n') else { return };
        let text = String::from_utf8_lossy(&stream.held[..=end]).into_owned();
        stream.held.drain(..=end);
        transcript.bytes(console, at, self.mask.apply(&text).as_bytes());
    }
}

impl Recorder for ConsoleLog {
    fn bytes(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.with(|inner| inner.bytes(console, at, bytes));
    }

    fn sent(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.with(|inner| {
            if let Some(transcript) = &mut inner.transcript {
                let text = String::from_utf8_lossy(bytes);
                transcript.sent(console, at, inner.mask.apply(&text).as_bytes());
            }
        });
    }

    fn reconnected(&mut self, console: &str, _at: Instant) {
        self.with(|inner| {
            inner.reporter.warning(format!(
                "the connection to the simulator's {console} broke and was made again; what it said meanwhile may \
                 be lost"
            ));
        });
    }

    fn closed(&mut self, console: &str, at: Instant, reason: Option<&str>) {
        self.with(|inner| {
            let mut stream = inner.take_stream(console);
            let role = inner.role(console);
            if role != ConsoleRole::Channel {
                stream.lines.flush(|line| inner.line(role, console, line));
            }
            let held = std::mem::take(&mut stream.held);
            if let Some(transcript) = &mut inner.transcript {
                if !held.is_empty() {
                    let text = String::from_utf8_lossy(&held);
                    transcript.bytes(console, at, inner.mask.apply(&text).as_bytes());
                }
                transcript.closed(console, at, reason);
            }
            inner.consoles.insert(console.to_owned(), stream);
            let namespace = &inner.namespace;
            if role == ConsoleRole::Main {
                inner.reporter.debug(format!("console {console} of namespace {namespace} was closed"));
            }
        });
    }
}

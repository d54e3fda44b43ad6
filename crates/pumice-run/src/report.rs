//! What a run says while it goes on: the log, the results, and what a person at a terminal wants to see.
//!
//! Everything that happens goes through one [`Reporter`]. It counts the lines of the log (results point into
//! them), stamps and masks, and hands every record to each [`Sink`]. Sinks write files, print, or keep what a
//! test wants to see; they cannot stop the run.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use pumice_plan::Scope;
use pumice_record::{LogLevel, LogRecord, Message, ResultRecord, Timestamp, export::LoggedResult};
use pumice_types::{CaseResult, Failure, Mask, clock};

/// Takes what a run says.
pub trait Sink: Send {
    /// A record of the log, masked; `index` is its line, from 0.
    fn record(&mut self, index: u64, record: &LogRecord);

    /// Something that is of use while the run goes on, beside the log.
    fn progress(&mut self, _progress: &Progress<'_>) {}
}

/// What a person at a terminal wants to see.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// A step began.
    Started {
        /// Which.
        scope: &'a Scope,
        /// What is left for it.
        budget: Duration,
    },
    /// A step ended.
    Ended {
        /// Which.
        scope: &'a Scope,
        /// How long it took.
        took: Duration,
        /// Why it failed; `None` when it did not.
        failure: Option<&'a Failure>,
    },
    /// A result was recorded.
    Result(&'a ResultRecord),
    /// Bytes arrive.
    Transfer {
        /// The file's label.
        label: &'a str,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, where that is known.
        total: Option<u64>,
    },
    /// The run holds its machines for people.
    Held {
        /// Why.
        why: &'a str,
        /// For how long.
        left: Duration,
    },
    /// A console said something; raw bytes.
    Console {
        /// Its name.
        name: &'a str,
        /// What.
        bytes: &'a [u8],
    },
}

/// Hands everything a run says to its sinks. Copies share it.
#[derive(Clone)]
pub struct Reporter(Arc<Mutex<Inner>>);

struct Inner {
    sinks: Vec<Box<dyn Sink>>,
    lines: u64,
    results: Vec<LoggedResult>,
    mask: Mask,
    /// Wall-clock time and monotonic time of one moment: records never go backwards when the clock is set.
    epoch: (SystemTime, Instant),
}

impl Reporter {
    /// A reporter that masks with `mask` and has these sinks.
    pub fn new(mask: Mask, sinks: Vec<Box<dyn Sink>>) -> Self {
        let epoch = (SystemTime::now(), Instant::now());
        Self(Arc::new(Mutex::new(Inner { sinks, lines: 0, results: Vec::new(), mask, epoch })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines the log has: the index of the next one.
    pub fn lines(&self) -> u64 {
        self.lock().lines
    }

    /// Every result so far, in order.
    pub fn results(&self) -> Vec<LoggedResult> {
        self.lock().results.clone()
    }

    /// `text` without the secrets of the job.
    pub fn masked(&self, text: &str) -> String {
        self.lock().mask.apply(text)
    }

    /// A failure without the secrets of the job.
    pub fn masked_failure(&self, mut failure: Failure) -> Failure {
        failure.message = self.masked(&failure.message);
        failure.hint = failure.hint.map(|hint| self.masked(&hint));
        if let Some(evidence) = &mut failure.evidence {
            evidence.text = self.masked(&evidence.text);
        }
        failure
    }

    /// A line of the log.
    pub fn log(&self, level: LogLevel, text: impl AsRef<str>) {
        self.lock().record(level, Message::Text(text.as_ref().to_owned()), None);
    }

    /// What is done, in detail.
    pub fn debug(&self, text: impl AsRef<str>) {
        self.log(LogLevel::Debug, text);
    }

    /// What is done.
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(LogLevel::Info, text);
    }

    /// Something odd.
    pub fn warning(&self, text: impl AsRef<str>) {
        self.log(LogLevel::Warning, text);
    }

    /// A line that a console of another namespace, or a secondary console, said.
    pub fn feedback(&self, namespace: &str, line: &str) {
        self.lock().record(LogLevel::Feedback, Message::Text(line.to_owned()), Some(namespace.to_owned()));
    }

    /// A result.
    pub fn result(&self, result: ResultRecord) {
        let mut inner = self.lock();
        let result = if inner.mask.is_empty() { result } else { masked_result(&inner.mask, result) };
        inner.record(LogLevel::Results, Message::Structured(result.to_json()), None);
        inner.progress(&Progress::Result(&result));
        let id = i64::try_from(inner.results.len() + 1).unwrap_or(i64::MAX);
        let at = inner.now();
        inner.results.push(LoggedResult { id, at, record: result, excerpt: None });
    }

    /// Something for people who watch.
    pub fn progress(&self, progress: &Progress<'_>) {
        self.lock().progress(progress);
    }

    /// The run holds its machines for people.
    pub(crate) fn held(&self, why: &str, left: Duration) {
        let minutes = left.as_secs().div_ceil(60);
        let mut inner = self.lock();
        let text = format!("the machines are held for {minutes} minutes: {why}");
        inner.record(LogLevel::Info, Message::Text(text), None);
        inner.progress(&Progress::Held { why, left });
    }

    /// A step begins: LAVA's line, which its tools parse (lava-compat 3.3).
    pub fn started(&self, scope: &Scope, budget: Duration) {
        let text = format!(
            "start: {} {} (timeout {}) [{}]",
            scope.level,
            scope.name,
            clock(budget),
            scope.namespace
        );
        let mut inner = self.lock();
        inner.record(level_of(scope), Message::Text(text), None);
        inner.progress(&Progress::Started { scope, budget });
    }

    /// A step ended.
    pub fn ended(&self, scope: &Scope, took: Duration, failure: Option<&Failure>) {
        let text =
            format!("end: {} {} (duration {}) [{}]", scope.level, scope.name, clock(took), scope.namespace);
        let mut inner = self.lock();
        inner.record(level_of(scope), Message::Text(text), None);
        inner.progress(&Progress::Ended { scope, took, failure });
    }

    /// The automatic result of a step.
    pub fn step_result(
        &self,
        scope: &Scope,
        took: Duration,
        result: CaseResult,
        extra: Option<serde_json::Value>,
    ) {
        let mut record = ResultRecord::new("lava", &scope.name, result);
        record.namespace = Some(scope.namespace.clone());
        record.level = Some(scope.level.to_string());
        record.duration = Some(took);
        record.extra = extra;
        self.result(record);
    }
}

/// Blocks are shown, the steps inside them are details (lava-compat 3.3).
fn level_of(scope: &Scope) -> LogLevel {
    if scope.level.depth() == 1 { LogLevel::Info } else { LogLevel::Debug }
}

impl Inner {
    /// The time of a record that is written now.
    fn now(&self) -> Timestamp {
        let (wall, start) = self.epoch;
        let since = (wall + start.elapsed()).duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn record(&mut self, level: LogLevel, message: Message, namespace: Option<String>) {
        let message = if self.mask.is_empty() { message } else { masked(&self.mask, message) };
        let record = LogRecord { at: self.now(), level, message, namespace };
        for sink in &mut self.sinks {
            sink.record(self.lines, &record);
        }
        self.lines += 1;
    }

    fn progress(&mut self, progress: &Progress<'_>) {
        for sink in &mut self.sinks {
            sink.progress(progress);
        }
    }
}

fn masked(mask: &Mask, message: Message) -> Message {
    match message {
        Message::Text(text) => Message::Text(mask.apply(&text)),
        Message::Structured(value) => Message::Structured(masked_value(mask, value)),
    }
}

/// A result without the secrets: what is kept is exported to other files too.
fn masked_result(mask: &Mask, result: ResultRecord) -> ResultRecord {
    ResultRecord::from_json(&masked_value(mask, result.to_json())).unwrap_or(result)
}

/// Values are masked, never keys or syntax, so that no secret can break the structure.
fn masked_value(mask: &Mask, value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(mask.apply(&text)),
        Value::Array(items) => items.into_iter().map(|item| masked_value(mask, item)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, item)| (key, masked_value(mask, item))).collect(),
        other => other,
    }
}

//! One line of a job's log.

use std::fmt;

use serde::Serialize;

use crate::{ResultRecord, Timestamp};

/// One record of a job's log (lava-compat 3.3).
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When.
    pub at: Timestamp,
    /// What kind of line it is.
    pub level: LogLevel,
    /// What it says.
    pub message: Message,
    /// The namespace whose console said it; only with [`LogLevel::Feedback`].
    pub namespace: Option<String>,
}

impl LogRecord {
    /// A line of text.
    pub fn text(at: Timestamp, level: LogLevel, text: impl Into<String>) -> Self {
        Self { at, level, message: Message::Text(text.into()), namespace: None }
    }

    /// A result.
    pub fn result(at: Timestamp, result: &ResultRecord) -> Self {
        let message = Message::Structured(result.to_json());
        Self { at, level: LogLevel::Results, message, namespace: None }
    }
}

/// What a log record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Text, possibly of several lines.
    Text(String),
    /// A mapping or a list: a result, or what an action found.
    Structured(serde_json::Value),
}

/// The kinds of log lines. The words are LAVA's; tools refuse others (clients.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Details of what is done.
    Debug,
    /// What is done.
    Info,
    /// Something odd.
    Warning,
    /// Something wrong.
    Error,
    /// The failure that ended the job.
    Exception,
    /// What we typed on a console.
    Input,
    /// What a console said.
    Target,
    /// What a console of another namespace said.
    Feedback,
    /// A message of a test for whoever listens to events.
    Event,
    /// A result.
    Results,
}

impl LogLevel {
    /// Every level.
    pub const ALL: [Self; 10] = [
        Self::Debug,
        Self::Info,
        Self::Warning,
        Self::Error,
        Self::Exception,
        Self::Input,
        Self::Target,
        Self::Feedback,
        Self::Event,
        Self::Results,
    ];

    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Exception => "exception",
            Self::Input => "input",
            Self::Target => "target",
            Self::Feedback => "feedback",
            Self::Event => "event",
            Self::Results => "results",
        }
    }

    /// Reads the word in the log.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

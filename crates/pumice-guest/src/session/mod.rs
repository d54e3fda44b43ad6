//! Signals to results: what a block of tests records (lava-compat 3.4, 4.2, 4.3).
//!
//! ```text
//!            STARTRUN              ENDRUN
//!   idle ───────────────▶ running ────────▶ idle     lava/N_name pass
//!                          │  │
//!                          │  └ RUN_EXIT, another STARTRUN, or the end: lava/N_name fail
//!                          └ TESTCASE, TESTREFERENCE, TESTSET, MultiNode: cases of the suite N_name
//! ```
//!
//! A [`TestSession`] knows no clock and no log: the caller says when a signal arrived and where in the log. Where it
//! does better than LAVA is told in `docs/lava-differences.md`, "Test shell".

mod pattern;
mod state;

use std::time::Duration;

use pumice_types::{CaseResult, Failure};

use crate::{
    definition::OutputPattern,
    signal::{MultiNode, SignalError},
};

pub use pattern::PatternMatch;
pub use state::TestSession;

/// What a block of tests will run.
#[derive(Clone, Debug, Default)]
pub struct SessionPlan {
    /// The index of the block among those of its namespace, from 0.
    pub stage: u32,
    /// The definitions, in order.
    pub runs: Vec<PlannedRun>,
}

/// A definition that will run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedRun {
    /// The suite: `N_name`.
    pub suite: String,
    /// Where it came from.
    pub source: RunSource,
    /// The cases it must report: the job's list, else the definition's.
    pub expected: Option<Vec<String>>,
    /// A pattern on all output, historic.
    pub pattern: Option<OutputPattern>,
}

/// Where a definition came from, as `lava/N_name` tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSource {
    /// The id in the overlay.
    pub uuid: String,
    /// The URL, or the whole definition of an inline one.
    pub repository: Option<serde_json::Value>,
    /// The path in the repository.
    pub path: Option<String>,
    /// The revision the job asked for.
    pub revision: Option<String>,
    /// The commit that was used.
    pub commit_id: Option<String>,
}

/// Which way a signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Text on the console.
    Console,
    /// A frame on a channel of ours.
    Channel,
}

/// When a signal arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since any fixed point in time, monotonic.
    pub at: Duration,
    /// How many lines the log had: the index of the next line, from 0 (lava-compat 3.4, `starttc`).
    pub line: u64,
}

/// What a session makes of a signal.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A result to be recorded.
    Result(Box<Outcome>),
    /// A run began.
    RunStarted {
        /// The suite.
        suite: String,
    },
    /// A run ended; all cases it reported, in order.
    RunEnded {
        /// The suite.
        suite: String,
        /// The cases with their results.
        cases: Vec<(String, CaseResult)>,
    },
    /// The output of this namespace's console is wanted now.
    Feedback(String),
    /// A message for whoever listens to events.
    Event(String),
    /// A request to the other nodes; answer it and call [`TestSession::multi_node_done`].
    MultiNode(MultiNode),
    /// The exit status of a command the caller asked about.
    ReturnCode(i32),
    /// Something arrived that cannot be used. Log it; the session goes on.
    Complaint(SignalError),
    /// Something is odd, in a sentence. Log it; the session goes on.
    Warning(String),
    /// The console says that the tests are over and the channel does not yet. Wait a little for it, then call
    /// [`TestSession::channel_silent`].
    AwaitChannel,
    /// Nothing more comes. The failure, if there is one, ends the job.
    Over(Option<Failure>),
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The suite: `N_name`, or `lava` for a run as a whole.
    pub suite: String,
    /// The case.
    pub case: String,
    /// How it went.
    pub result: CaseResult,
    /// The set it belongs to.
    pub set: Option<String>,
    /// What was measured.
    pub measurement: Option<f64>,
    /// The unit of what was measured.
    pub units: Option<String>,
    /// A link that shows it.
    pub reference: Option<String>,
    /// Where its output begins in the log.
    pub start_line: Option<u64>,
    /// Where its output ends in the log.
    pub end_line: Option<u64>,
    /// How long the run took.
    pub duration: Option<Duration>,
    /// Why it failed, when that was decided here and not in the guest.
    pub reason: Option<String>,
    /// Where the run came from; only for a run as a whole.
    pub source: Option<RunSource>,
}

impl Outcome {
    /// A result with nothing but its name.
    pub fn new(suite: impl Into<String>, case: impl Into<String>, result: CaseResult) -> Self {
        Self {
            suite: suite.into(),
            case: case.into(),
            result,
            set: None,
            measurement: None,
            units: None,
            reference: None,
            start_line: None,
            end_line: None,
            duration: None,
            reason: None,
            source: None,
        }
    }
}

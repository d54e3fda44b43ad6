//! What the guest tells us while tests run.
//!
//! The words are LAVA's (lava-compat 4.3); the two ways they travel are described in
//! `docs/protocol/signals.md`: as text on the console, and framed on a channel of our own.

mod channel;
mod console;
mod display;
mod grammar;
mod reader;

use std::fmt;

use pumice_types::{Blame, CaseResult, Cause};

pub use channel::{FRAME_MARK, adler32, encode_frame};
pub use reader::{Received, SignalReader};

/// One signal.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A test definition begins: the suite `name`.
    StartRun(Run),
    /// A test definition came to its end.
    EndRun(Run),
    /// The output of a case begins here.
    StartTc(String),
    /// The output of a case ends here.
    EndTc(String),
    /// A case has a result.
    TestCase(TestCase),
    /// A set of cases begins or ends.
    TestSet(TestSet),
    /// A case has a result and something that shows it elsewhere.
    TestReference(TestReference),
    /// The output of another namespace's console is asked for, now.
    TestFeedback(String),
    /// A test asks to end the job, with a message.
    TestRaise(String),
    /// A message for whoever listens to events.
    TestEvent(String),
    /// The exit status of a command the host asked about (`RETRUNCODE`, LAVA's spelling).
    ReturnCode(i32),
    /// The install steps of a definition failed; the runner goes on with the next one.
    InstallFail(InstallFail),
    /// The script of a definition ended, whether or not it came to its end.
    RunExit(RunExit),
    /// The runner has nothing more to run.
    RunnerExit,
    /// The guest says which way its signals go from here on.
    Channel(ChannelState),
    /// A request to the other nodes of the job.
    MultiNode(MultiNode),
}

/// A run of a test definition: its suite and the id the overlay gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// `N_name`.
    pub name: String,
    /// The id in the overlay.
    pub uuid: String,
}

/// The result of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// The case. Any text without blanks.
    pub id: String,
    /// How it went.
    pub result: CaseResult,
    /// What was measured; always finite.
    pub measurement: Option<f64>,
    /// The unit of what was measured.
    pub units: Option<String>,
}

/// The result of a case and a link that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReference {
    /// The case.
    pub id: String,
    /// How it went.
    pub result: CaseResult,
    /// The link.
    pub reference: String,
}

/// A set of cases inside a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestSet {
    /// The cases from here on belong to it.
    Start(String),
    /// They no longer do.
    Stop,
}

/// Why the install steps failed, as far as the guest could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallReason {
    /// The network did not work, however often it was tried.
    Network,
    /// A package source answered that there is no such package.
    Package,
    /// The guest's distribution has no package manager that we know.
    Unsupported,
    /// A step ended with a status other than 0.
    Step,
}

/// The install steps of a definition failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallFail {
    /// `N_name`; `None` when the guest did not say (LAVA's own scripts do not).
    pub name: Option<String>,
    /// Why.
    pub reason: InstallReason,
}

/// How the script of a definition ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunExit {
    /// `N_name`.
    pub name: String,
    /// The exit status of `run.sh`.
    pub status: i32,
}

/// Which way the guest sends its signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// First frame on a channel: the numbering begins here. Holds the version of the framing.
    Open(u32),
    /// Said on the console: signals go to this device from here on.
    Announced(String),
    /// Said on the console: the channel was lost, signals go to the console from here on.
    Lost,
}

/// A request to the other nodes of a MultiNode job (lava-compat 5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiNode {
    /// Stores a message for every node.
    Send {
        /// The message's id.
        id: String,
        /// Its contents.
        values: Vec<(String, String)>,
    },
    /// Waits for a message from any node.
    Wait {
        /// The message's id.
        id: String,
    },
    /// Waits for a message from all nodes, or from all of one role.
    WaitAll {
        /// The message's id.
        id: String,
        /// The role.
        role: Option<String>,
    },
    /// Waits until all nodes are here.
    Sync {
        /// The message's id.
        id: String,
    },
}

impl MultiNode {
    /// The message's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Send { id, .. } | Self::Wait { id } | Self::WaitAll { id, .. } | Self::Sync { id } => id,
        }
    }

    /// The word in the name of the case LAVA records for it: `multinode-wait_all-ID` (lava-compat 5.3).
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Wait { .. } => "wait",
            Self::WaitAll { .. } => "wait_all",
            Self::Sync { .. } => "sync",
        }
    }
}

/// Something arrived that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// The text is not in the grammar.
    #[error("the guest sent `{text}`, which is not a signal: {problem}")]
    Malformed {
        /// What was sent, shortened.
        text: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A signal on the console was broken by other output before its `>`.
    #[error("a signal on the console was broken by other output: `{text}`")]
    Broken {
        /// What was seen of it.
        text: String,
    },
    /// A frame's checksum does not fit its contents.
    #[error("a signal arrived damaged on the channel: `{line}`")]
    BadChecksum {
        /// The line.
        line: String,
    },
    /// Frames are missing.
    #[error("signals {expected} to {} of the channel did not arrive", got - 1)]
    Gap {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// A frame came that should have come earlier, or twice.
    #[error("signal {got} of the channel arrived when {expected} was due")]
    OutOfOrder {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// A line on the channel was longer than any frame.
    #[error("a line of more than {limit} bytes arrived on the channel")]
    TooLong {
        /// The longest line that is read.
        limit: usize,
    },
}

impl SignalError {
    /// Whether something may have been lost on the way. Such an error never lets a run pass.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::Malformed { .. } | Self::Broken { .. })
    }
}

impl Blame for SignalError {
    fn root_cause(&self) -> Cause {
        if self.is_loss() { Cause::SignalLost } else { Cause::SignalInvalid }
    }

    fn hint(&self) -> Option<String> {
        self.is_loss().then(|| {
            "something else writes to the channel's device in the guest, or the simulator drops bytes of it".to_owned()
        })
    }
}

/// What is wrong with a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An argument is missing.
    Missing(&'static str),
    /// A token has no `=`.
    NotAssignment(String),
    /// Not one of pass, fail, skip, unknown.
    Result(String),
    /// Not a finite number.
    Measurement(String),
    /// Not an integer.
    Integer(String),
    /// No signal has this name.
    Unknown(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::NotAssignment(token) => write!(f, "`{token}` is not NAME=VALUE"),
            Self::Result(word) => write!(f, "the result `{word}` is not one of pass, fail, skip, unknown"),
            Self::Measurement(text) => write!(f, "the measurement `{text}` is not a number"),
            Self::Integer(text) => write!(f, "`{text}` is not an integer"),
            Self::Unknown(name) => write!(f, "no signal is called `{name}`"),
        }
    }
}

//! What is said over a run's control socket, version 1 (`docs/protocol/control.md`).
//!
//! The client says one [`Request`] as a line of JSON; the run answers with one [`Answer`] as a line. What follows
//! depends on the request: nothing, the bytes of a console, lines of output, or the bytes of a file.

use serde::{Deserialize, Serialize};

/// The version that is spoken.
pub const CONTROL_VERSION: u32 = 1;

/// The longest line either side takes, in bytes.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The version it speaks: [`CONTROL_VERSION`].
    #[serde(rename = "pumice-control")]
    pub version: u32,
    /// What it wants.
    #[serde(flatten)]
    pub wish: Wish,
    /// The machine, by its namespace; may be left out where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
}

impl Request {
    /// A request in the version that is spoken.
    pub fn new(wish: Wish, machine: Option<String>) -> Self {
        Self { version: CONTROL_VERSION, wish, machine }
    }
}

/// What a client may want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Wish {
    /// The machines and what they are. Answer: [`Done::Machines`].
    List,
    /// A console: after the answer, its bytes both ways.
    Console {
        /// Its name; the main console when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        console: Option<String>,
        /// Whether to type too. There is one writer at a time.
        #[serde(default)]
        write: bool,
        /// How many bytes of what came before are wanted.
        #[serde(default)]
        history_bytes: usize,
    },
    /// Resets the guest, as its reset button would.
    Reset,
    /// Holds the guest.
    Pause,
    /// Lets it go on.
    Resume,
    /// Stops the machine. Needs a held run.
    Stop,
    /// Boots it anew as the job says. Needs a held run.
    Start,
    /// Stops and boots. Needs a held run.
    Restart,
    /// Runs a command line in the guest's shell: after the answer, [`Said`] lines. Needs a held run.
    Exec {
        /// The line.
        line: String,
        /// How long it may take, in seconds.
        seconds: u64,
    },
    /// Brings a file: after the answer [`Done::From`], its bytes from there on; then a second answer. Needs a
    /// held run.
    Push {
        /// Where to.
        to: Place,
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its bytes, in lower-case hexadecimal.
        sha256: String,
        /// Whether it is a program.
        #[serde(default)]
        executable: bool,
    },
    /// Fetches a file of the guest: after the answer [`Done::File`], its bytes from `offset` on. Needs a held run.
    Pull {
        /// Its path in the guest.
        path: String,
        /// How many bytes the client has already.
        #[serde(default)]
        offset: u64,
        /// SHA-256 of the file those bytes are from; when it is another now, everything is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// Ends the hold: the run goes on.
    Release,
}

/// Where a file is brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A path in the guest.
    Guest(String),
    /// An image of the machine, by its label in the job: the next start uses it.
    Image(String),
}

/// What a run answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done.
    Ok(Done),
    /// It was not, and this is why.
    Error(Refused),
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// Nothing more to say.
    Done,
    /// The bytes of a console follow.
    Bytes,
    /// Lines of output follow.
    Lines,
    /// The bytes of a file are wanted from here on.
    From(u64),
    /// The bytes of this file follow, from `offset` on.
    File {
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its bytes, in lower-case hexadecimal.
        sha256: String,
        /// Where the bytes begin.
        offset: u64,
    },
    /// What there is.
    Machines(Overview),
}

/// The machines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Each of them.
    pub machines: Vec<MachineFacts>,
    /// Why the run holds them for people; `None` while the job uses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Seconds until the hold is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_seconds: Option<u64>,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// Its namespace.
    pub name: String,
    /// The platform it is on.
    pub platform: String,
    /// `running`, `paused`, `stopped` and so on.
    pub state: String,
    /// The names of its consoles, the main one first.
    pub consoles: Vec<String>,
    /// Whether somebody types on its main console.
    pub has_writer: bool,
}

/// A line of output, or the end of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// What the guest said.
    Out(String),
    /// The exit status: the last line.
    Status(u32),
    /// It could not be brought to its end: the last line.
    Error(Refused),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// A sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Refused {
    /// A refusal without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

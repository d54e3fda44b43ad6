//! Hands on a job's machines: what is said over its control socket (`docs/protocol/control.md`). One connection is one
//! request: a line of JSON, a line of JSON in answer, and for some requests bytes after that.

use serde::{Deserialize, Serialize};

/// The longest line of either side, in bytes.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// What a person wants. A machine is named by its namespace; an empty name means the only one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// Which machines there are.
    List,
    /// Start a machine that was stopped, as its boot block does.
    Start {
        /// Which.
        #[serde(default)]
        machine: String,
    },
    /// Stop a machine.
    Stop {
        /// Which.
        #[serde(default)]
        machine: String,
    },
    /// Stop a machine and start it.
    Restart {
        /// Which.
        #[serde(default)]
        machine: String,
    },
    /// Follow a console, and type into it where `write` is set. Bytes follow, both ways.
    Console {
        /// Which machine.
        #[serde(default)]
        machine: String,
        /// Which of its consoles; the main one where it is empty.
        #[serde(default)]
        console: String,
        /// Whether to type. One at a time may.
        #[serde(default)]
        write: bool,
    },
    /// Put a file into the guest. After [`Answer::Ready`] its bytes follow from the offset on; then comes a second answer.
    Push {
        /// Which machine.
        #[serde(default)]
        machine: String,
        /// Where to, in the guest.
        path: String,
        /// How long it is, in bytes.
        size: u64,
        /// Its SHA-256, 64 digits.
        sha256: String,
    },
    /// Get a file from the guest, from byte `offset` on. After [`Answer::File`] its bytes follow.
    Pull {
        /// Which machine.
        #[serde(default)]
        machine: String,
        /// Where it is, in the guest.
        path: String,
        /// What is here already.
        #[serde(default)]
        offset: u64,
    },
    /// Run a command line in the guest's shell. After [`Answer::Ran`] what it wrote follows.
    Exec {
        /// Which machine.
        #[serde(default)]
        machine: String,
        /// The line.
        command: String,
    },
    /// Let the job go on: nobody needs its machines any more.
    Release,
}

/// What the job answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Answer {
    /// It was done.
    Done,
    /// It was not.
    Refused {
        /// Why.
        message: String,
        /// What to do.
        #[serde(default)]
        hint: Option<String>,
    },
    /// The machines of the job.
    Machines {
        /// Whether the job holds still, so that more than looking is possible.
        held: bool,
        /// Them.
        machines: Vec<Machine>,
    },
    /// The console's bytes follow.
    Open,
    /// Send the file from this byte on: what came before is there already.
    Ready {
        /// The byte.
        offset: u64,
    },
    /// The file's bytes follow from the offset that was asked for.
    File {
        /// How long the whole of it is, in bytes.
        size: u64,
        /// The whole of it's SHA-256, 64 digits.
        sha256: String,
    },
    /// The command ended.
    Ran {
        /// Its exit status.
        status: u32,
    },
}

/// A machine of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its namespace.
    pub name: String,
    /// Whether it runs.
    pub runs: bool,
    /// Its consoles, the main one first.
    pub consoles: Vec<Console>,
}

/// A console of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// Its name.
    pub name: String,
    /// Whether somebody types into it.
    pub is_written: bool,
}

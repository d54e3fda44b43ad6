//! What may go wrong while one waits for a console.

use std::time::Duration;

use pumice_types::{Blame, Cause, Evidence};

use crate::watch::{Message, WatchKind};

/// What was waited for did not come.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExpectError {
    /// The time is over.
    #[error("{owner} timed out after {} seconds, waiting for {waited_for} on console {console}", limit.as_secs())]
    Timeout {
        /// The console's name.
        console: String,
        /// Whose time it was.
        owner: String,
        /// How long that was.
        limit: Duration,
        /// The patterns, for a person.
        waited_for: String,
        /// The last lines of the console.
        tail: String,
    },
    /// The console has ended.
    #[error("console {console} was closed{} while waiting for {waited_for}", because(.reason.as_deref()))]
    Closed {
        /// The console's name.
        console: String,
        /// Why, if it was not the other side's wish.
        reason: Option<String>,
        /// The patterns, for a person.
        waited_for: String,
        /// The last lines of the console.
        tail: String,
    },
    /// A line came that ends every wait.
    #[error("{}", watch(.console, .message))]
    Watch {
        /// The console's name.
        console: String,
        /// What the line says.
        message: Message,
        /// The last lines of the console.
        tail: String,
    },
    /// More came than is kept for somebody who does not take it. Only a [`crate::Subscription`] ends so.
    #[error("{lost} matches on console {console} came faster than they were taken and are lost")]
    Overrun {
        /// The console's name.
        console: String,
        /// How many.
        lost: u64,
    },
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn watch(console: &str, message: &Message) -> String {
    let what = match message.kind {
        WatchKind::Panic => "the kernel panicked",
        WatchKind::Reset => "the machine was reset",
        WatchKind::Bootloader => "the boot loader reported an error",
        WatchKind::Custom => "a message appeared that the job calls a failure",
        _ => "the kernel reported a failure",
    };
    format!("{what} on console {console}: {}", message.line.trim())
}

impl Blame for ExpectError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Timeout { .. } => Cause::NoPrompt,
            Self::Closed { .. } => Cause::ConsoleLost,
            Self::Watch { message, .. } => match message.kind {
                WatchKind::Reset => Cause::GuestReset,
                WatchKind::Bootloader => Cause::BootloaderError,
                WatchKind::Custom => Cause::CommandFailed,
                _ => Cause::GuestPanic,
            },
            Self::Overrun { .. } => Cause::SignalLost,
        }
    }

    fn evidence(&self) -> Option<Evidence> {
        let (console, text) = match self {
            Self::Timeout { console, tail, .. } | Self::Closed { console, tail, .. } => (console, tail),
            Self::Watch { console, message, .. } => (console, &message.line),
            Self::Overrun { .. } => return None,
        };
        (!text.trim().is_empty()).then(|| Evidence { from: console.clone(), text: text.clone() })
    }
}

/// What was to be typed was not typed, or not all of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// The time is over.
    #[error("{owner} timed out after {} seconds, typing into console {console}", limit.as_secs())]
    Timeout {
        /// The console's name.
        console: String,
        /// Whose time it was.
        owner: String,
        /// How long that was.
        limit: Duration,
    },
    /// The console has ended, or only listens.
    #[error("console {console} takes no input{}", because(.reason.as_deref()))]
    Closed {
        /// The console's name.
        console: String,
        /// Why.
        reason: Option<String>,
    },
}

impl Blame for SendError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Timeout { .. } => Cause::SimulatorHung,
            Self::Closed { .. } => Cause::ConsoleLost,
        }
    }
}

//! Consoles: transports, the actor that drains them, the matcher, pacing, transcripts.
//!
//! ```text
//!  Connection ──bytes──▶ task ──▶ Recorder (raw, first)
//!   (pipe, pty, socket,   │  └──▶ Engine: window, watches, waits ──▶ Console::expect, Subscription, messages
//!    telnet, memory)      ◀──────── Sender (paced)
//! ```
//!
//! A [`Console`] is one [`Connection`] with one task, which reads from the first byte to the last whatever the
//! job is doing: an unread console holds up a real simulator. Memory is bounded, and nobody who is slow to
//! take what was found holds up the reading.
//!
//! What a match is, and why it never depends on how the bytes came, stands at the head of `scanner.rs`;
//! how Python's patterns are read, at [`Pattern::python`].

mod actor;
mod automaton;
mod connection;
mod console;
mod engine;
mod error;
mod found;
mod lines;
#[cfg(test)]
mod oracle;
mod pattern;
mod patterns;
mod pipes;
mod recorder;
mod scanner;
pub mod telnet;
mod telnet_stream;
pub mod transcript;
mod watch;
mod window;

pub use actor::Pacing;
pub use connection::{ConnectError, Connection, Listener};
pub use console::{Console, ConsoleOptions, Sender, Subscription, Tap, Tapped};
pub use engine::matches_in;
pub use error::{ExpectError, SendError};
pub use found::Match;
pub use lines::{LINE_LIMIT_BYTES, LineSplitter};
pub use pattern::{Pattern, PatternError};
pub use patterns::Patterns;
pub use pipes::Pipes;
pub use recorder::{Recorder, Unrecorded};
pub use watch::{Message, Watch, WatchKind, kernel_watches, reset_watch};

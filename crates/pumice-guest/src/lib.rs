//! What runs in the guest: test definitions, the overlay tree that carries them there, and the signals that
//! come back.
//!
//! Everything here is pure: text and bytes in, values out. The scripts themselves are POSIX sh and stand in
//! `guest/` of the repository; [`overlay::build`] puts them, the definitions and what they need into one list of
//! files that any writer (cpio, tar, ext4, FAT) can pack. What the scripts send back is read by
//! [`signal::SignalReader`] and turned into results by [`session::TestSession`].
//!
//! ```text
//! test definition ──parse──▶ TestDefinition ──overlay::build──▶ files ──▶ guest
//!                                                                          │ signals
//! results ◀── TestSession ◀── Signal ◀── SignalReader ◀── bytes ───────────┘
//! ```

pub mod definition;
pub mod overlay;
pub mod session;
pub mod signal;

mod shell;

pub use definition::TestDefinition;
pub use overlay::{Contents, OverlayFile};
pub use session::{SessionEvent, TestSession};
pub use signal::{Signal, SignalReader};

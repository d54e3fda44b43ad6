//! Reads texts as a user of the crate does.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says why it was skipped")]

mod diagnostics;
mod limits;
mod properties;
mod pyyaml;

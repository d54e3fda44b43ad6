//! The vocabulary every other crate speaks: ids, spans, diagnostics, faults, deadlines, verdicts.
//!
//! Nothing here does I/O, reads a clock or knows a simulator. A type belongs here when two crates that do
//! not know each other must mean the same thing by it.

mod address;
mod deadline;
mod diagnostic;
mod failure;
mod file_pattern;
mod ids;
mod mask;
mod name;
mod span;
mod timestamp;
mod units;
mod verdict;

pub use address::is_public_address;
pub use deadline::Deadline;
pub use diagnostic::{Code, Diagnostic, Diagnostics, Related, Severity, Suggestion, nearest};
pub use failure::{Blame, Cause, Evidence, Failure, Fault};
pub use file_pattern::{FilePattern, InvalidFilePattern, LetterCase};
pub use ids::{DeviceName, JobId, Level, WorkerName};
pub use mask::{MASK, Mask};
pub use name::{InvalidName, Name};
pub use span::{Position, Source, SourceId, Sources, Span, Spanned};
pub use timestamp::Timestamp;
pub use units::{ByteSize, clock};
pub use verdict::{CaseResult, IllegalTransition, JobEvent, JobState, Verdict};

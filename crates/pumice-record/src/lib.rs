//! What a job leaves behind: log records, results, exporters, in our formats and LAVA's.
//!
//! Everything here is a value or a text made from values; files, clocks and sockets are the caller's. Secrets are
//! masked where values become text ([`pumice_types::Mask`]), in values only, so that no secret can break the syntax
//! around it.

mod description;
pub mod export;
mod line;
mod log;
mod result;
mod time;

pub use description::{DescribedStep, JobResult, write_description, write_result};
pub use line::{LineError, MAX_LINE, read_line, read_log, write_line};
pub use log::{LogLevel, LogRecord, Message};
pub use result::ResultRecord;
pub use time::Timestamp;

//! LAVA's log line: one flow mapping in YAML, on one physical line (lava-compat 3.3).

mod read;
mod write;

pub use read::{LineError, read_line, read_log};
pub use write::{MAX_LINE, write_line};

pub(crate) use write::{quoted, value};

//! Reads texts as a user of the crate does.

mod diagnostics;
mod limits;
mod properties;
mod pyyaml;

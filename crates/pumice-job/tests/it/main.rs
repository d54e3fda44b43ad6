//! Reads jobs as a user of the crate does.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says why it was skipped")]

mod assist;
mod corpus;
mod fixtures;
mod multinode;
mod pages;
mod properties;
mod schema;

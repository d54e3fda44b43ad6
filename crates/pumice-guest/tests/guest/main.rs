//! The scripts of `guest/`, run for real under every shell there is, and the corpus of test definitions.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]
#![expect(clippy::needless_raw_string_hashes, reason = "written by expect-test")]

mod channel;
mod corpus;
mod harness;
mod helpers;
mod install;
mod overlay;
mod runner;
mod session;

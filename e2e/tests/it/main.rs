//! End-to-end tests, one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

mod boots;
mod corpus;
mod flood;
mod harness;
mod kill;
mod lab;
mod models;
mod multinode;
mod tuxrun;
mod uml;

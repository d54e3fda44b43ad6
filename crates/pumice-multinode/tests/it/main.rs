//! The rendezvous of a MultiNode job, as conversations.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]
#![expect(clippy::print_stdout, reason = "the seed that failed is told")]

mod exchange;
mod group;
mod properties;

//! The rendezvous of a MultiNode job, as conversations.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

mod exchange;
mod group;
mod properties;

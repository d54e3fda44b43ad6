//! Tests of the crate from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

mod python_patterns;
mod transports;
mod waits;

//! Networks, from the outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

mod switch;

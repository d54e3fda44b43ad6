//! The library that ships, against what LAVA makes of the same contexts.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper fails its test, or says why it is skipped"
)]

mod corpus;
mod library;
mod schema;
mod shipped;

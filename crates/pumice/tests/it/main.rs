//! The program as users and editors meet it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper fails its test, or says why it is skipped"
)]

mod agreement;
mod commands;
mod editor;
mod shell;
mod slips;

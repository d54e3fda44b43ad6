//! The rules of this repository, as tests. Each collects every offence and says what to do about it.

#![expect(clippy::unwrap_used, reason = "a test's helper fails the test")]

mod codes;
mod dependencies;
mod files;
mod layers;
mod names;
mod purity;
mod repository;

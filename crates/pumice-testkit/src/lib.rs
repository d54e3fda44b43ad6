//! For tests only: the conformance suite that every platform passes, and the world its machines run in.
//!
//! ```ignore
//! // crates/pumice-platform-NAME/tests/it/conformance.rs
//! fn subject() -> Result<Subject, String> { ... }
//! pumice_testkit::conformance!(subject);
//! ```
//!
//! `docs/contributor/adding-a-platform.md` says how a new platform joins.

#![expect(clippy::expect_used, reason = "a test that cannot set up its world fails, and says where")]

mod checks;
mod postgres;
mod subject;
mod world;

pub use checks::{Check, check};
pub use postgres::Postgres;
pub use subject::{Refusal, Subject, device};
pub use world::{World, watcher};

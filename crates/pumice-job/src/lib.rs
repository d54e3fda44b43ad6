//! Job definitions: YAML text to a typed, spanned job, with every mistake found on the way.
//!
//! [`parse`] reads a text, checks it against the words of LAVA's job language (one table) and turns it
//! into a [`Job`]. It finds all mistakes, not the first one. What LAVA refuses on submission is an error; what it
//! accepts there and its strict schema refuses is a warning.

mod job;
mod read;

pub use job::*;

use pumice_types::{Diagnostics, SourceId};
use pumice_yaml::Node;

/// Reads and checks a job definition.
///
/// The job is there whenever the text is a mapping at all, so that later stages can look for more mistakes; it may
/// be run only when the diagnostics have no error.
pub fn parse(text: &str, source: SourceId) -> (Option<Job>, Diagnostics) {
    let (node, mut diagnostics) = pumice_yaml::parse(text, source);
    let Some(node) = node else { return (None, diagnostics) };
    let (job, found) = check(&node);
    diagnostics.extend(found);
    (job, diagnostics.sorted())
}

/// Checks a definition that was read already. Otherwise as [`parse`].
pub fn check(node: &Node) -> (Option<Job>, Diagnostics) {
    let (job, diagnostics) = read::job(node);
    (job, diagnostics.sorted())
}

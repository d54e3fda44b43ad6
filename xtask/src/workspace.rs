//! Where things are, and how a task speaks.

use std::path::{Path, PathBuf};

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Where guests and tools are made: always `target/` of the workspace, also where `CARGO_TARGET_DIR` sends the
/// compiler elsewhere, so that every build finds the same guests.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Says what happens next.
pub(crate) fn say(what: &str) {
    println!("==> {what}");
}

/// Shows an error with its causes.
#[expect(clippy::print_stderr, reason = "errors belong there")]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

//! The programs of this workspace, built before they are used.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Set by the nextest set-up script, which builds once for all tests: the directory of the programs.
const DIRECTORY: &str = "PUMICE_PROGRAMS";

/// The path of one of the workspace's programs, for example `pumice`, built from today's sources.
///
/// # Panics
/// When it does not build.
pub fn built(name: &str) -> PathBuf {
    static DIRECTORY_BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY_BUILT
        .get_or_init(|| std::env::var_os(DIRECTORY).map_or_else(build_beside_this_test, PathBuf::from));
    let path = directory.join(name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

/// Builds into the directory that this test's own program came from, `target/debug/deps/…`.
fn build_beside_this_test() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let directory = test.ancestors().find(|path| path.ends_with("deps")).and_then(Path::parent).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "pumice", "--package", "model-standin", "--target-dir"])
        .arg(directory.parent().unwrap())
        .status()
        .unwrap();
    assert!(status.success(), "the programs do not build");
    directory.to_owned()
}

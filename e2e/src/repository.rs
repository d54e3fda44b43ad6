//! A git repository for tests.

use std::{path::Path, process::Command};

use fs_err as fs;

/// Makes a repository of one commit in `directory` that holds these files, paths and contents.
///
/// # Panics
/// When it cannot.
pub fn git_repository(directory: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    for words in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "x"]] {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        let done = Command::new("git").args(identity).args(words).current_dir(directory).status().unwrap();
        assert!(done.success(), "{words:?}");
    }
}

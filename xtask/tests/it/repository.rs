//! The files the rules are about.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A text of the repository.
pub(crate) struct Text {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl Text {
    /// Reads it.
    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    /// What the compiler sees outside tests, with line numbers from 1: no comment lines, nothing behind the
    /// file's test module, which stands last.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
        lines
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, line))
    }

    /// Whether it is part of a program or library rather than of its tests.
    pub(crate) fn is_source(&self) -> bool {
        self.path.contains("/src/") && !self.path.ends_with("/tests.rs") && !self.path.contains("/tests/")
    }
}

/// Every Rust file below the given directories of the root.
pub(crate) fn rust_files(directories: &[&str]) -> Vec<Text> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = directories.iter().map(|name| root().join(name)).collect();
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(Text::read(path.strip_prefix(root()).unwrap().to_str().unwrap()));
            }
        }
    }
    assert!(found.len() > 20, "the walk found too few files to be right");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// All directories with Rust of ours.
pub(crate) const EVERYWHERE: &[&str] = &["crates", "tools", "xtask", "e2e", "fuzz"];

/// The manifests of all members.
pub(crate) fn manifests() -> Vec<Text> {
    let mut found: Vec<String> =
        ["xtask", "e2e", "e2e/lava-api"].map(|name| format!("{name}/Cargo.toml")).into();
    for parent in ["crates", "tools"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.push(format!("{parent}/{name}/Cargo.toml"));
        }
    }
    found.sort();
    found.iter().filter(|path| root().join(path).exists()).map(|path| Text::read(path)).collect()
}

/// Fails with all offences at once.
#[track_caller]
pub(crate) fn none(offences: &[String], what_to_do: &str) {
    assert!(offences.is_empty(), "{}\n{what_to_do}", offences.join("\n"));
}

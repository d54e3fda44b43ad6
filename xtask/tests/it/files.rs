//! Shape of files: length, opening lines, tests that nobody forgot.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

use crate::repository::{EVERYWHERE, Text, none, root, rust_files};

const LONGEST: usize = 600;

#[test]
fn no_file_is_longer_than_a_person_reads() {
    let files = rust_files(EVERYWHERE);
    let offences: Vec<_> = files
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect();
    none(&offences, &format!("Past {LONGEST} lines a file holds two things: part them."));
}

#[test]
fn every_crate_opens_with_what_it_is_for() {
    let is_root = |file: &&Text| file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    let files = rust_files(EVERYWHERE);
    let offences: Vec<_> = files
        .iter()
        .filter(is_root)
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect();
    none(&offences, "Begin the file with `//!` and a sentence that says what the crate is for.");
}

/// Crates whose tests are several programs, and why.
const SEVERAL_PROGRAMS: &[(&str, &str)] = &[(
    "crates/pumice-process",
    "its tests count the descriptors and adopt the orphans of their whole program",
)];

#[test]
fn every_test_file_is_part_of_its_crates_one_test_binary() {
    let files = rust_files(EVERYWHERE);
    let mains: BTreeMap<&str, &Text> =
        files.iter().filter_map(|file| Some((file.path.strip_suffix("/tests/it/main.rs")?, file))).collect();
    let mut offences = Vec::new();
    for file in &files {
        let Some((member, inside)) = file.path.split_once("/tests/") else { continue };
        let Some(module) = inside.strip_prefix("it/") else {
            let may_be_several = SEVERAL_PROGRAMS.iter().any(|(name, _)| *name == member);
            if !inside.contains('/') && !member.contains("/src") && !may_be_several {
                offences.push(format!("{}: move it to {member}/tests/it/", file.path));
            }
            continue;
        };
        let module = module.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let declares = |main: &&Text| {
            main.text.lines().any(|line| line.trim_start_matches("pub(crate) ") == format!("mod {module};"))
        };
        if module != "main" && !mains.get(member).is_some_and(declares) {
            offences.push(format!("{}: no `mod {module};` in {member}/tests/it/main.rs", file.path));
        }
    }
    none(
        &offences,
        "A test file that no `mod` names never runs; a second test binary costs seconds to link.",
    );
}

#[test]
fn what_ci_starts_is_executable() {
    let mode = root().join(".ci/run").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, ".ci/run: chmod +x");
}

#[test]
fn no_registry_is_named_by_its_host() {
    let hosts = [
        concat!("crates", ".io/api"),
        concat!("pypi", ".org"),
        concat!("deb.", "debian"),
        concat!("registry.", "npmjs"),
    ];
    let mut offences = Vec::new();
    for file in rust_files(EVERYWHERE) {
        for host in hosts.iter().filter(|host| file.text.contains(*host)) {
            offences.push(format!("{}: {host}", file.path));
        }
    }
    none(&offences, "Use the client as the machine has it set up.");
}

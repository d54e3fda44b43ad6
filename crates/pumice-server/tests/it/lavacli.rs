//! The real `lavacli` against our server: the checks that pass on LAVA 2026.07 (`corpus/lavacli/checks.sh`), each
//! section a test. The section `run` needs a worker and stands with the end-to-end tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::lab::Lab;

/// `lavacli` as the set-up installs it, in `target/python`.
fn lavacli() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/lavacli");
    path.is_file().then_some(path)
}

fn check(section: &str, least: usize) {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/lavacli/checks.sh");
    if !checks.exists() {
        println!("skipped: there is no {}", checks.display());
        return;
    }
    let Some(lavacli) = lavacli() else {
        println!("skipped: there is no lavacli in target/python: run `cargo xtask setup`");
        return;
    };
    let lab = Lab::start();
    let output = Command::new("bash")
        .arg(&checks)
        .args([&lab.url, "admin", &lab.token, section])
        .env("LAVACLI", lavacli)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let passed = said.lines().filter(|line| line.starts_with("ok ")).count();
    let failed: Vec<_> =
        said.lines().filter(|line| line.starts_with("not ok") || line.starts_with("# ")).collect();
    assert!(output.status.success(), "{}", failed.join("\n"));
    assert!(passed >= least, "only {passed} checks ran:\n{said}");
}

#[test]
fn lavacli_asks_the_system() {
    check("system", 110);
}

#[test]
fn lavacli_manages_device_types() {
    check("types", 25);
}

#[test]
fn lavacli_manages_workers() {
    check("workers", 22);
}

#[test]
fn lavacli_manages_devices() {
    check("devices", 34);
}

#[test]
fn lavacli_manages_jobs_that_wait() {
    check("jobs", 33);
}

#[test]
fn lavacli_checks_of_rest_pass() {
    check("rest", 11);
}

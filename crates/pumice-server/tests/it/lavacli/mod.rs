//! The real `lavacli` against our server: the checks that pass on LAVA 2026.07 (`corpus/lavacli/checks.sh`), each
//! section a test. The section `run` needs a worker and stands with the end-to-end tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    exchange::{LOG, LavaWorker},
    lab::Lab,
};

mod transcript;

/// A program as the set-up installs it, in `target/python`; says so where there is none.
fn program(name: &str) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin");
    if !directory.join("lavacli").is_file() {
        println!("skipped: there is no lavacli in target/python: run `cargo xtask setup`");
        return None;
    }
    Some(directory.join(name))
}

/// Says a transcript to a lab with a device `virtual01` and an ordinary user `alice`, after jobs with these logs failed.
fn transcript(text: &str, logs: &[&[&str]]) {
    let lab = Lab::start();
    let token = lab.with_device();
    let worker = LavaWorker { lab: &lab, token };
    for log in logs {
        lab.submit("");
        worker.run(log, "result=fail&error_type=Infrastructure");
    }
    let alice = lab.user("alice");
    transcript::check(&lab, &alice, text);
}

#[test]
fn every_option_of_lavacli_for_a_job_that_failed_is_answered() {
    transcript(include_str!("ended.txt"), &[&LOG]);
}

#[test]
fn every_option_of_lavacli_for_jobs_is_answered() {
    transcript(include_str!("jobs.txt"), &[]);
}

#[test]
fn every_option_of_lavacli_for_devices_types_and_workers_is_answered() {
    transcript(include_str!("lab.txt"), &[]);
}

#[test]
fn every_option_of_lavacli_for_users_and_the_small_things_is_answered() {
    transcript(include_str!("accounts.txt"), &[]);
}

fn check(section: &str, least: usize) {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/lavacli/checks.sh");
    if !checks.exists() {
        println!("skipped: there is no {}", checks.display());
        return;
    }
    let Some(lavacli) = program("lavacli") else { return };
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

//! The real `lavacli` against our server: the checks that pass on LAVA 2026.07 (`corpus/lavacli/checks.sh`), each
//! section a test. The section `run` needs a worker and stands with the end-to-end tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::lab::Lab;

/// The version the checks were written for.
const LAVACLI: &str = "lavacli==3.1.0";

/// `lavacli` in an environment of its own, made once for all tests; or why there is none.
fn lavacli() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lavacli");
    std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
    // Tests are processes: one makes it while the others wait.
    let lock = std::fs::File::create(home.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let program = home.join("venv/bin/lavacli");
    if program.exists() {
        return Ok(program);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv")))?;
    run(Command::new(home.join("venv/bin/pip")).args(["install", "--quiet", LAVACLI]))?;
    Ok(program)
}

fn check(section: &str, least: usize) {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/lavacli/checks.sh");
    if !checks.exists() {
        println!("skipped: there is no {}", checks.display());
        return;
    }
    let lavacli = match lavacli() {
        Ok(lavacli) => lavacli,
        Err(reason) => {
            println!("skipped: lavacli cannot be installed: {reason}");
            return;
        }
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

//! The harness itself: it must see what a test leaves behind.

use std::{panic, process::Command, time::Duration};

use e2e::Sandbox;

const SHORT: Duration = Duration::from_secs(10);

#[test]
fn a_process_that_outlives_its_parent_is_seen_and_ended_with_the_sandbox() {
    let sandbox = Sandbox::new();
    // An orphan with no trace of the sandbox but its working directory.
    let mut command = Command::new("sh");
    command.args(["-c", "setsid env -i sleep 1000 & echo started"]).current_dir(sandbox.path());
    let finished = sandbox.start(&mut command).wait(SHORT);
    assert_eq!(finished.stdout, "started\n");
    let left = sandbox.processes();
    assert_eq!(left.len(), 1, "{left:?}");
    let id = left[0].id;
    drop(sandbox);
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn what_is_left_fails_the_test() {
    let sandbox = Sandbox::new();
    let running = sandbox.start(Command::new("sleep").arg("1000").current_dir(sandbox.path()));
    let verdict = panic::catch_unwind(panic::AssertUnwindSafe(|| sandbox.is_empty_within(Duration::ZERO)));
    let said = *verdict.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains(&format!("{} sleep 1000", running.id())), "{said}");
}

//! Real kernels on real boards: a job that passes, and each way it can fail, with what a person is told.

use std::{net::TcpListener, time::Duration};

use e2e::{Guest, Job, Results, Sandbox, built, need, program};

const LIMIT: Duration = Duration::from_secs(290);

/// Passing, failing, skipped and measured cases.
const CASES: [&str; 5] = [
    "lava-test-case good --shell true",
    "lava-test-case bad --shell false",
    "lava-test-case later --result skip",
    "lava-test-case speed --result pass --measurement 3.25 --units MB/s",
    "lava-test-case kernel --shell uname -a",
];

fn check_cases(job: &Job) {
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", job.text());
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    assert_eq!(finished.status.code(), Some(100), "{}", finished.stderr);
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(
        results.tests(),
        [
            "0_cases/good pass",
            "0_cases/bad fail",
            "0_cases/later skip",
            "0_cases/speed pass",
            "0_cases/kernel pass",
        ]
    );
    assert_eq!(results.measurement("speed"), Some(3.25));
    assert_eq!(results.failure(), None);
    sandbox.is_empty_within(Duration::from_secs(2));
}

#[test]
fn arm64_on_virt_records_every_kind_of_case() {
    check_cases(&Job::arm64(&need!(Guest::find("arm64"))).steps(&CASES));
}

#[test]
fn armhf_on_vexpress_a15_records_every_kind_of_case() {
    check_cases(&Job::armhf(&need!(Guest::find("armhf"))).steps(&CASES));
}

/// Runs a job that must fail and says cause, fault and message.
#[track_caller]
fn check_failure(job: &Job, exit: i32, cause: &str, fault: &str, says: &str) {
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", job.text());
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    let results = Results::read(&sandbox.path().join("out"));
    let (found, whose, message) = results.failure().expect("the job must fail");
    assert_eq!((found.as_str(), whose.as_str()), (cause, fault), "{message}");
    assert!(message.contains(says), "`{message}` does not say `{says}`");
    assert_eq!(finished.status.code(), Some(exit), "{}", finished.stderr);
    sandbox.is_empty_within(Duration::from_secs(2));
}

#[test]
fn a_network_that_is_down_is_the_infrastructures() {
    let mut job = Job::arm64(&need!(Guest::find("arm64")));
    // A port that nobody listens on: it was ours a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    job.kernel = format!("http://127.0.0.1:{port}/Image");
    job.top = "timeouts: {job: {minutes: 1}, action: {seconds: 5}, actions: {http-download: {seconds: 4}}}\n"
        .to_owned();
    check_failure(&job, 66, "download-failed", "infrastructure", "127.0.0.1");
}

#[test]
fn a_wrong_checksum_is_the_jobs() {
    let mut job = Job::arm64(&need!(Guest::find("arm64")));
    job.kernel_lines = vec![format!("sha256sum: {}", "f".repeat(64))];
    check_failure(&job, 101, "checksum-mismatch", "job", "sha256");
}

#[test]
fn a_full_disk_is_the_infrastructures_and_says_how_much_was_needed() {
    let guest = need!(Guest::find("arm64"));
    let unshare = need!(program("unshare"));
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", Job::arm64(&guest).text());
    std::fs::create_dir(sandbox.path().join("cache")).unwrap();
    // A file system of 2 MiB where the artifacts go, in a mount namespace of the test's own.
    let script = "mount -t tmpfs -o size=2m none \"$XDG_CACHE_HOME\" && exec \"$0\" run -q -o out \"$1\"";
    let mut command = sandbox.foreign(unshare, ["--mount", "--map-root-user", "sh", "-c", script]);
    command.arg(built("pumice")).arg(&path);
    let finished = sandbox.start(&mut command).wait(LIMIT);
    assert_eq!(finished.status.code(), Some(66), "{}", finished.stderr);
    let (cause, fault, message) = Results::read(&sandbox.path().join("out")).failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("disk-full", "infrastructure"), "{message}");
    assert!(message.contains("MiB") || message.contains("bytes"), "{message}");
}

#[test]
fn a_panic_ends_the_tests_at_once() {
    let job = Job::arm64(&need!(Guest::find("arm64"))).steps(&[
        "lava-test-case before --result pass",
        "echo c > /proc/sysrq-trigger",
        "sleep 600",
    ]);
    check_failure(&job, 101, "guest-panic", "job", "Kernel panic");
}

#[test]
fn a_prompt_that_never_comes_is_named_with_what_was_seen_last() {
    let mut job = Job::arm64(&need!(Guest::find("arm64")));
    job.prompt = "never-comes".to_owned();
    job.boot_seconds = 25;
    check_failure(&job, 101, "no-prompt", "job", "never-comes");
}

#[test]
fn a_simulator_that_is_killed_is_the_infrastructures() {
    let guest = need!(Guest::find("arm64"));
    let job = Job::arm64(&guest).steps(&["lava-test-case before --result pass", "sleep 600"]);
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", job.text());
    let arguments = ["run", "-o", "out", path.to_str().unwrap()];
    let mut running = sandbox.start(&mut sandbox.command("pumice", arguments));
    running.wait_for("0_cases/before", LIMIT);
    let machine = sandbox.processes().into_iter().find(|process| process.to_string().contains("qemu-system"));
    machine.expect("a machine runs").kill();
    let finished = running.wait(Duration::from_secs(30));
    assert_eq!(finished.status.code(), Some(66), "{}", finished.stderr);
    let (cause, fault, message) = Results::read(&sandbox.path().join("out")).failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("simulator-exited", "infrastructure"), "{message}");
    assert!(message.contains("SIGKILL"), "{message}");
    sandbox.is_empty_within(Duration::from_secs(2));
}

#[test]
fn a_signal_cancels_and_leaves_nothing() {
    let guest = need!(Guest::find("arm64"));
    let job = Job::arm64(&guest).steps(&["lava-test-case before --result pass", "sleep 600"]);
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", job.text());
    let mut running =
        sandbox.start(&mut sandbox.command("pumice", ["run", "-o", "out", path.to_str().unwrap()]));
    running.wait_for("0_cases/before", LIMIT);
    running.signal(e2e::Signal::TERM);
    let finished = running.wait(Duration::from_secs(30));
    assert_eq!(finished.status.code(), Some(67), "{}", finished.stderr);
    sandbox.is_empty_within(Duration::from_secs(2));
    let result = std::fs::read_to_string(sandbox.path().join("out/result.yaml")).unwrap();
    assert!(result.contains("Canceled"), "{result}");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let guest = need!(Guest::find("arm64"));
    let mut job = Job::arm64(&guest).steps(&[
        "echo the secret is hunter2-$((1+1))",
        "lava-test-case token --shell grep -q hunter2-2 /lava-1/secrets",
    ]);
    job.top = "secrets: {TOKEN: hunter2-2}\n".to_owned();
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", job.text());
    let finished = sandbox.pumice(["run", "--console", "-o", "out", path.to_str().unwrap()], LIMIT);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("the secret is [MASKED]"), "{}", finished.stderr);
    for entry in ["logs.yaml", "results.json", "description.yaml", "transcripts/common.transcript"] {
        let bytes = std::fs::read(sandbox.path().join("out").join(entry)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2-2"), "{entry} shows the secret");
    }
}

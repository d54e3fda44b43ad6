//! Time that runs out: whose it was, and how the job goes on (what is ours: `soft`, `inactivity`, `time_factor`).

use std::time::Duration;

use e2e::{Guest, Job, Results, Sandbox, ShellMachine, need};

/// A test that waits for what never comes, with more keys.
fn endless(keys: &str) -> String {
    format!(
        "- test:\n{keys}    monitors: [{{name: w, start: never, end: never, pattern: '(?P<test_case_id>x)'}}]\n"
    )
}

#[test]
fn a_soft_block_is_given_up_and_the_job_goes_on() {
    let machine = ShellMachine {
        blocks: endless("    timeout: {seconds: 2, soft: true}\n") + "- test: {commands: ['true']}\n",
        ..ShellMachine::default()
    };
    let (finished, results) = machine.run(&Sandbox::new());
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    let cases = results.cases();
    assert!(cases.contains(&"lava/lava-test-monitor-retry-soft-timeout fail".to_owned()), "{cases:?}");
    assert!(cases.contains(&"lava/guest-commands pass".to_owned()), "{cases:?}");
    assert!(cases.contains(&"lava/job pass".to_owned()), "{cases:?}");
}

#[test]
fn consoles_that_stay_silent_too_long_end_the_job() {
    let machine = ShellMachine {
        timeouts: "{job: {minutes: 2}, action: {minutes: 1}, inactivity: {seconds: 2}}".to_owned(),
        blocks: endless(""),
        ..ShellMachine::default()
    };
    let (finished, results) = machine.run(&Sandbox::new());
    let (cause, fault, message) = results.failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("inactivity", "test"), "{message}");
    assert!(message.contains("2 seconds"), "{message}");
    assert_eq!(finished.status.code(), Some(101), "{}", finished.stderr);
}

#[test]
fn a_slow_device_has_its_factor_of_the_jobs_times() {
    let slow = |device: &str| ShellMachine {
        before: "sleep 3".to_owned(),
        device: device.to_owned(),
        boot: "    timeout: {seconds: 1}\n".to_owned(),
        ..ShellMachine::default()
    };
    let (finished, results) = slow("time_factor: 30\n").run(&Sandbox::new());
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    let (_, results) = slow("").run(&Sandbox::new());
    let (cause, _, message) = results.failure().unwrap();
    assert_eq!(cause, "no-prompt", "{message}");
}

#[test]
fn the_jobs_own_end_is_told_and_not_tried_again() {
    let machine = ShellMachine {
        timeouts: "{job: {seconds: 3}, action: {minutes: 1}}".to_owned(),
        boot: "    failure_retry: 9\n    timeout: {minutes: 9}\n    \
               parameters: {kernel-start-message: never-comes}\n"
            .to_owned(),
        ..ShellMachine::default()
    };
    let (_, results) = machine.run(&Sandbox::new());
    let (_, _, message) = results.failure().unwrap();
    assert!(message.contains("the job"), "{message}");
    assert!(message.contains("3 seconds"), "{message}");
    let tries = results.cases().iter().filter(|case| *case == "lava/auto-login-action fail").count();
    assert_eq!(tries, 1);
}

#[test]
fn one_definition_that_takes_too_long_is_ended_and_the_next_one_runs() {
    let guest = need!(Guest::find("arm64"));
    let text = Job::arm64(&guest).text();
    let definition = |name: &str, keys: &str, steps: &str| {
        format!(
            "    - from: inline\n      name: {name}\n      path: {name}.yaml\n{keys}      repository:\n        \
             metadata: {{format: Lava-Test Test Definition 1.0, name: {name}, description: x}}\n        {steps}\n"
        )
    };
    let limit = "      timeout: {seconds: 8, soft: true}\n";
    let text = text
        + &definition("slow", limit, "run: {steps: ['lava-test-case begun --result pass', sleep 900]}")
        + &definition("fetch", limit, "install: {steps: [sleep 900]}\n        run: {steps: ['true']}")
        + &definition("last", limit, "run: {steps: ['lava-test-case here --result pass']}");
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", text);
    let arguments = ["run", "-q", "-o", "out", path.to_str().unwrap()];
    let finished = sandbox.pumice(arguments, Duration::from_secs(280));
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    assert_eq!(results.tests(), ["0_cases/one pass", "1_slow/begun pass", "3_last/here pass"]);
    let runs = ["0_cases", "1_slow", "2_fetch", "3_last", "lava-test-shell", "job"];
    let is_run = |case: &String| {
        runs.iter().any(|run| case.starts_with(&format!("lava/{run}"))) || case.contains("stage_")
    };
    let cases: Vec<_> = results.cases().into_iter().filter(is_run).collect();
    for expected in [
        "lava/0_cases pass",
        "lava/1_slow-soft-timeout fail",
        "lava/1_slow fail",
        "lava/2_fetch-soft-timeout fail",
        "lava/2_fetch fail",
        "lava/3_last pass",
        "lava/job pass",
    ] {
        assert!(cases.iter().any(|case| case == expected), "no {expected} in {cases:?}");
    }
    sandbox.is_empty_within(Duration::from_secs(2));
}

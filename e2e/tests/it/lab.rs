//! A lab on one host: `pumice up` runs what `pumice submit` gives it, tells what came of it, and leaves nothing.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use e2e::{Guest, Job, Sandbox, Signal, need};

const LIMIT: Duration = Duration::from_secs(290);
const SHORT: Duration = Duration::from_secs(30);

#[test]
fn a_submitted_job_runs_and_its_results_are_told() {
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    let steps = ["lava-test-case good --result pass", "lava-test-case bad --result fail"];
    let path = sandbox.write("job.yaml", Job::arm64(&guest).steps(&steps).text());
    let mut lab = sandbox.start(&mut sandbox.command("pumice", ["up", "--listen", "127.0.0.1:0"]));
    lab.wait_for("the lab is at http://127.0.0.1:", SHORT);

    let token = sandbox.path().join("state/pumice/lab/admin.token");
    let mode = std::fs::metadata(&token).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(lab.output()[0].contains(&std::fs::read_to_string(&token).unwrap()));

    let submitted = sandbox.pumice(["submit", path.to_str().unwrap(), "--wait"], LIMIT);
    assert_eq!(submitted.status.code(), Some(100), "{}{}", submitted.stdout, submitted.stderr);
    assert!(submitted.stdout.contains("job 1: Complete"), "{}", submitted.stdout);

    let ask = |words: &[&str]| {
        let asked = sandbox.pumice(words, SHORT);
        assert_eq!(asked.status.code(), Some(0), "{words:?}: {}", asked.stderr);
        asked.stdout
    };
    let cases: serde_json::Value = serde_json::from_str(&ask(&["results", "1", "--format", "json"])).unwrap();
    let result = |name: &str| {
        let mut cases = cases.as_array().unwrap().iter();
        cases.find(|case| case["name"] == name && case["suite"] == "0_cases").unwrap()["result"].clone()
    };
    assert_eq!((result("good"), result("bad")), ("pass".into(), "fail".into()));
    assert!(ask(&["logs", "-f", "1"]).contains("guest login:"));
    let shown: serde_json::Value = serde_json::from_str(&ask(&["show", "1", "--format", "json"])).unwrap();
    assert_eq!((&shown["state"], &shown["health"]), (&"Finished".into(), &"Complete".into()));

    lab.signal(Signal::TERM);
    let ended = lab.wait(SHORT);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    sandbox.is_empty_within(Duration::from_secs(2));
}

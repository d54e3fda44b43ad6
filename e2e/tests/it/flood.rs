//! No result is lost, however loud the kernel is (design, decision 1).

use std::time::Duration;

use e2e::{Guest, Job, Results, Sandbox, need};

/// Results a definition sends while the kernel's log is flooded.
const COUNT: usize = 3 * 1000;

#[test]
fn a_guest_that_floods_its_kernels_log_loses_no_result() {
    let guest = need!(Guest::find("arm64"));
    let mut job = Job::arm64(&guest).steps(&[
        "(while :; do echo '<0>flood flood flood flood flood flood flood flood flood' > /dev/kmsg; done) & flood=$!",
        "i=0; while [ $i -lt 3000 ]; do lava-test-case case-$i --result pass; i=$((i+1)); done",
        "kill $flood",
    ]);
    // The flood has a core of its own, so that it is as tight as it can be.
    job.context = "{arch: arm64, memory: 512M, extra_options: ['-smp 2']}".to_owned();
    job.test_seconds = 600;
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", job.text());
    let limit = Duration::from_secs(700);
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], limit);
    let tests = Results::read(&sandbox.path().join("out")).tests();
    let lost: Vec<_> = (0..COUNT).filter(|n| !tests.contains(&format!("0_cases/case-{n} pass"))).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    assert_eq!(tests.len(), COUNT);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
}

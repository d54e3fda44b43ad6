//! Killing `pumice run` at any moment leaves no process, and what it shares with others stays usable.

use std::{thread, time::Duration};

use e2e::{Guest, Job, Results, Sandbox, Signal, need};

/// How often it is killed.
const ROUNDS: u32 = 50;

#[test]
fn kill_9_at_random_moments_leaves_no_process_and_a_usable_store() {
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    let job = Job::arm64(&guest);
    let path = sandbox.write("job.yaml", job.text());
    let path = path.to_str().unwrap();
    let seed = std::process::id();
    println!("seed {seed}");
    let mut random = u64::from(seed) | 1;
    for round in 0..ROUNDS {
        // xorshift64: Marsaglia, "Xorshift RNGs", 2003.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let output = format!("out-{round}");
        let running = sandbox.start(&mut sandbox.command("pumice", ["run", "-q", "-o", &output, path]));
        // The moment is what the test is about: anywhere from before the first line to the middle of a boot.
        thread::sleep(Duration::from_millis(random % 1500));
        running.signal(Signal::KILL);
        drop(running);
        sandbox.is_empty_within(Duration::from_secs(1));
    }
    let finished = sandbox.pumice(["run", "-q", "-o", "last", path], Duration::from_secs(290));
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    assert_eq!(Results::read(&sandbox.path().join("last")).tests(), ["0_cases/one pass"]);
    let left: Vec<_> = std::fs::read_dir(sandbox.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("pmc"))
        .collect();
    assert!(left.is_empty(), "directories of killed runs are left: {left:?}");
}

//! LAVA's own worker (Debian's `lava-dispatcher`), unchanged, with our server and our runner under the name of LAVA's.

use std::{os::unix::fs::symlink, path::PathBuf};

use e2e::{Missing, Signal, built, need, python_program};
use fs_err as fs;
use serde_json::{Value, json};

use super::rig::{Lab, PATIENCE};

const DICTIONARY: &str = "{% extends 'command.jinja2' %}\n{% set command = {'program': 'sh', \
    'arguments': ['-c', 'echo ready; echo begin; echo one pass; echo two fail; echo end; exec sleep 1000'], \
    'consoles': [{'name': 'main', 'role': 'main', 'by': 'stdio'}], \
    'stop': [{'how': 'terminate', 'grace_seconds': 1}]} %}\n";

const JOB: &str = "job_name: for LAVA's worker\ndevice_type: command\nvisibility: public\n\
    timeouts: {job: {minutes: 3}, action: {minutes: 1}, connection: {minutes: 1}}\nactions:\n\
    - boot: {method: command, prompts: [ready], parameters: {kernel-start-message: ''}}\n\
    - test:\n    monitors:\n    - {name: tiny, start: begin, end: end, \
    pattern: '(?P<test_case_id>one|two) (?P<result>pass|fail)'}\n";

/// Where `cargo xtask setup` unpacks Debian's packages.
fn packages() -> Result<PathBuf, Missing> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
    let path = target.join("lava-dispatcher/usr/lib/python3/dist-packages");
    if path.join("lava_dispatcher/worker.py").is_file() {
        Ok(path)
    } else {
        Err(Missing::rare("worker of LAVA's in target/lava-dispatcher"))
    }
}

#[test]
fn lavas_own_worker_takes_a_job_of_ours_and_finishes_it() {
    let (python, packages) = (need!(python_program("python")), need!(packages()));
    let mut lab = need!(Lab::new(1, &[]));
    lab.post("workers/", &json!({"hostname": "theirs"}));
    lab.post(
        "devices/",
        &json!({"hostname": "tiny", "device_type": "command", "worker_host": "theirs", "health": "Good"}),
    );
    lab.post("devices/tiny/dictionary/", &json!({"dictionary": DICTIONARY}));
    let token = lab.get("workers/theirs/")["token"].as_str().unwrap().to_owned();

    let programs = lab.sandbox.path().join("programs");
    fs::create_dir(&programs).unwrap();
    symlink(built("pumice"), programs.join("lava-run")).unwrap();
    let home = lab.sandbox.path().join("theirs");
    let url = Lab::url();
    let words = [
        "-c",
        "from lava_dispatcher.worker import run; run()",
        "--name",
        "theirs",
        "--url",
        &url,
        "--token",
        &token,
        "--log-file",
        "-",
        "--level",
        "DEBUG",
        "--ping-interval",
        "1",
        "--job-log-interval",
        "1",
        "--worker-dir",
    ];
    let mut command = lab.sandbox.foreign(python, words);
    command.arg(&home).env("PYTHONPATH", packages).env("PYTHONUNBUFFERED", "1");
    command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default()));
    lab.workers[1] = Some(lab.sandbox.start(&mut lab.network.on(1, &command)));

    let job = lab.submit("job", JOB);
    lab.wait_until("the job ends", || lab.ask(&["show", &job])["state"] == "Finished");
    let said = lab.workers[1].as_ref().unwrap().output().concat();
    assert_eq!(lab.ask(&["show", &job])["health"], "Complete", "{said}");
    let results = lab.ask(&["results", &job]);
    let result = |name: &str| {
        let case = results.as_array().unwrap().iter().find(|case| case["name"] == name);
        case.map_or(Value::Null, |case| case["result"].clone())
    };
    assert_eq!(
        (result("one"), result("two"), result("job")),
        (json!("pass"), json!("fail"), json!("pass")),
        "{said}"
    );
    assert!(lab.pumice(&["logs", &job], PATIENCE).stdout.contains("Job finished correctly"));
    let workers = lab.ask(&["workers"]);
    assert_eq!((&workers[0]["hostname"], &workers[0]["state"]), (&json!("theirs"), &json!("Online")));

    for running in lab.workers.iter_mut().filter_map(Option::take).chain(lab.server.take()) {
        running.signal(Signal::TERM);
        drop(running.wait(PATIENCE));
    }
    drop(lab.network);
    lab.sandbox.is_empty_within(PATIENCE);
}

//! MultiNode jobs whose nodes are on different workers: they talk through the server, and one's end is the other's.

use std::time::{Duration, Instant};

use e2e::{Guest, Signal, need};
use serde_json::{Value, json};

use super::rig::{Lab, PATIENCE};
use crate::multinode::group;

/// How long guests may take to boot while others do.
const BOOT: Duration = Duration::from_secs(280);

/// A lab of two workers, which offer devices.
fn two_workers() -> Result<Lab, e2e::Missing> {
    let mut lab = Lab::new(2, &[])?;
    for worker in [1, 2] {
        lab.start_worker(worker);
        lab.wait_for_worker(worker);
    }
    Ok(lab)
}

/// Submits a group and answers the numbers of its jobs.
#[track_caller]
fn submit(lab: &Lab, text: &str) -> Vec<String> {
    let path = lab.sandbox.write("group.yaml", text);
    let sent = lab.pumice(&["submit", path.to_str().unwrap(), "--format", "json"], PATIENCE);
    assert!(sent.status.success(), "{}", sent.stderr);
    let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["submitted"].to_string();
    sent.stdout.lines().map(number).collect()
}

/// The server's node on the first worker, the client's on the second.
fn apart(guest: &Guest, essential: bool, server: &[&str], client: &[&str]) -> String {
    let text = group(guest, essential, server, client);
    let on = |text: String, role: &str, worker: &str| {
        let role = format!("{role}: {{device_type: qemu,");
        text.replacen(&role, &format!("{role} worker: {worker},"), 1)
    };
    on(on(text, "server", "w1"), "client", "w2")
}

fn wait_for(lab: &Lab, what: &str, limit: Duration, holds: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "never came: {what}\n{}", lab.said());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is known of a job's cases, as `name result`.
fn cases(lab: &Lab, id: &str) -> Vec<String> {
    let results = lab.ask(&["results", id]);
    let of_tests = results.as_array().unwrap().iter().filter(|case| case["suite"] == "0_talk");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_tests.map(|case| format!("{} {}", text(&case["name"]), text(&case["result"]))).collect()
}

fn is_over(lab: &Lab, id: &str) -> bool {
    lab.ask(&["show", id])["state"] == "Finished"
}

fn end(mut lab: Lab) {
    for running in lab.workers.iter_mut().filter_map(Option::take).chain(lab.server.take()) {
        running.signal(Signal::TERM);
        let ended = running.wait(PATIENCE);
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(!ended.stderr.contains("not ours"), "{}", ended.stderr);
    }
    drop(lab.network);
    lab.sandbox.is_empty_within(Duration::from_secs(10));
}

#[test]
fn two_guests_on_two_workers_meet_and_talk_though_the_server_is_killed_while_one_waits() {
    let guest = need!(Guest::find("arm64"));
    let mut lab = need!(two_workers());
    let text = apart(
        &guest,
        true,
        &[
            "lava-test-case self --shell test \"$(lava-self) $(lava-role)\" = \"1 server\"",
            "lava-test-case group --shell test \"$(lava-group | tr '\\n\\t' ', ')\" = \"1 server,2 client,\"",
            "lava-send address ip=10.9.8.7",
            "lava-sync ready",
            "lava-test-case waiting --result pass",
            "lava-wait-all done client",
            "lava-test-case told --shell grep -qx 2:value=seven /tmp/lava_multi_node_cache.txt",
            "lava-sync over",
        ],
        &[
            "lava-wait address",
            "lava-test-case address --shell grep -qx 1:ip=10.9.8.7 /tmp/lava_multi_node_cache.txt",
            "lava-sync ready",
            "sleep 10",
            "lava-send done value=seven",
            "lava-sync over",
        ],
    );
    let jobs = submit(&lab, &text);
    assert_eq!(jobs, ["1", "2"]);
    wait_for(&lab, "the wait of the server", BOOT, || cases(&lab, "1").contains(&"waiting pass".to_owned()));
    let server = lab.server.take().unwrap();
    server.signal(Signal::KILL);
    drop(server.wait(PATIENCE));
    lab.start_server();
    wait_for(&lab, "the end", BOOT, || jobs.iter().all(|id| is_over(&lab, id)));
    for id in &jobs {
        assert_eq!(lab.ask(&["show", id])["health"], "Complete", "{}\n{}", lab.ask(&["why", id]), lab.said());
    }
    assert_eq!(
        cases(&lab, "1"),
        [
            "self pass",
            "group pass",
            "multinode-send-address pass",
            "multinode-sync-ready pass",
            "waiting pass",
            "multinode-wait_all-done pass",
            "told pass",
            "multinode-sync-over pass",
        ]
    );
    assert_eq!(
        cases(&lab, "2"),
        [
            "multinode-wait-address pass",
            "address pass",
            "multinode-sync-ready pass",
            "multinode-send-done pass",
            "multinode-sync-over pass",
        ]
    );
    assert_eq!(lab.ask(&["show", "1"])["actual_device"], "qemu-w1");
    assert_eq!(lab.ask(&["show", "2"])["actual_device"], "qemu-w2");
    // As LAVA numbers them.
    assert_eq!(lab.get("jobs/1.1/")["id"], 2);
    end(lab);
}

#[test]
fn a_node_whose_machine_is_killed_ends_the_wait_of_the_one_on_another_worker() {
    let guest = need!(Guest::find("arm64"));
    let lab = need!(two_workers());
    let server = ["lava-test-case up --result pass", "sleep 600"];
    let jobs =
        submit(&lab, &apart(&guest, false, &server, &["lava-test-case up --result pass", "lava-sync never"]));
    wait_for(&lab, "both to be up", BOOT, || jobs.iter().all(|id| cases(&lab, id) == ["up pass"]));
    let processes = lab.sandbox.processes();
    let node = processes.iter().find(|process| {
        process.command_line.contains("__job") && process.command_line.contains("/w1/worker/jobs/")
    });
    let node = node.expect("the server's job runs");
    let is_machine =
        |process: &&e2e::Process| process.parent == node.id && process.command_line.contains("qemu-system");
    processes.iter().find(is_machine).expect("its machine runs").kill();
    wait_for(&lab, "the end of both", PATIENCE, || jobs.iter().all(|id| is_over(&lab, id)));
    let cause = |id: &str| lab.ask(&["why", id])["failure"].clone();
    assert_eq!(cause(&jobs[0])["cause"], "simulator-exited", "{}", cause(&jobs[0]));
    let other = cause(&jobs[1]);
    assert_eq!(other["cause"], "peer-failed", "{other}");
    let message = other["message"].as_str().unwrap();
    assert!(message.contains("lava-sync never") && message.contains("SIGKILL"), "{message}");
    end(lab);
}

/// A machine that shows its prompt and lives on.
const DICTIONARY: &str = "{% extends 'command.jinja2' %}\n{% set command = {'program': 'sh', \
    'arguments': ['-c', 'echo login; exec sleep 1000'], \
    'consoles': [{'name': 'main', 'role': 'main', 'by': 'stdio'}], \
    'stop': [{'how': 'terminate', 'grace_seconds': 1}]} %}\n";

/// Two nodes of which the first, essential, boots once both are there; what it does then is `boot`, and the other waits.
fn by_blocks(boot: &str) -> String {
    format!(
        "job_name: by blocks\nvisibility: public\n\
         timeouts: {{job: {{minutes: 5}}, action: {{minutes: 2}}, connection: {{minutes: 1}}}}\n\
         protocols:\n  lava-multinode:\n    roles:\n\
         \x20     first: {{device_type: command, worker: w1, count: 1, essential: true}}\n\
         \x20     second: {{device_type: command, worker: w2, count: 1}}\n\
         actions:\n\
         - boot:\n    role: [first]\n    method: command\n    prompts: [{boot}]\n    timeout: {{seconds: 5}}\n    \
         parameters: {{kernel-start-message: ''}}\n    protocols:\n      lava-multinode:\n      \
         - {{action: boot, request: lava-sync, messageID: here}}\n\
         - boot:\n    role: [second]\n    method: command\n    prompts: [login]\n    \
         parameters: {{kernel-start-message: ''}}\n    protocols:\n      lava-multinode:\n      \
         - {{action: boot, request: lava-sync, messageID: here}}\n\
         - test:\n    role: [second]\n    monitors:\n    - {{name: never, start: never, end: never, pattern: 'x'}}\n"
    )
}

#[test]
fn an_essential_node_takes_the_other_with_it_and_a_cancelled_one_too() {
    let lab = need!(two_workers());
    for worker in [1, 2] {
        let name = format!("c{worker}");
        let wanted = json!({"hostname": name, "device_type": "command", "worker_host": format!("w{worker}"), "health": "Good"});
        lab.post("devices/", &wanted);
        lab.post(&format!("devices/{name}/dictionary/"), &json!({"dictionary": DICTIONARY}));
    }
    // Its prompt never comes.
    let jobs = submit(&lab, &by_blocks("'no such prompt'"));
    wait_for(&lab, "the end of both", PATIENCE, || jobs.iter().all(|id| is_over(&lab, id)));
    let why = |id: &str| lab.ask(&["why", id])["failure"].clone();
    let health = |id: &str| lab.ask(&["show", id])["health"].clone();
    assert_eq!(
        (health(&jobs[0]), health(&jobs[1])),
        ("Incomplete".into(), "Canceled".into()),
        "{}",
        lab.said()
    );
    assert_eq!(why(&jobs[0])["cause"], "no-prompt", "{}", why(&jobs[0]));
    let other = why(&jobs[1]);
    assert_eq!(other["cause"], "peer-failed", "{other}");
    assert!(other["message"].as_str().unwrap().contains("job 1.0 (first)"), "{other}");

    let jobs = submit(&lab, &by_blocks("login"));
    wait_for(&lab, "the first to be complete", PATIENCE, || is_over(&lab, &jobs[0]));
    assert!(!is_over(&lab, &jobs[1]), "one that is complete ends nobody");
    assert!(lab.pumice(&["cancel", &jobs[1]], PATIENCE).status.success());
    wait_for(&lab, "the end of the second", PATIENCE, || is_over(&lab, &jobs[1]));
    assert_eq!((health(&jobs[0]), health(&jobs[1])), ("Complete".into(), "Canceled".into()));
    end(lab);
}

//! MultiNode jobs: several machines in one run, what they say to each other, and the network they share.

use std::{fmt::Write as _, time::Duration};

use e2e::{Guest, Job, Process, Results, Sandbox, need};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(290);

/// A job of two nodes, `server`, which may be essential, and `client`, which run these steps.
pub(crate) fn group(guest: &Guest, essential: bool, server: &[&str], client: &[&str]) -> String {
    let one = Job::arm64(guest);
    let mut text = "job_name: two nodes\nvisibility: public\n\
         timeouts: {job: {minutes: 12}, action: {minutes: 4}, connection: {minutes: 4}}\n\
         protocols:\n  lava-multinode:\n    roles:\n"
        .to_owned();
    for (role, essential) in [("server", essential), ("client", false)] {
        let context = &one.context;
        let _ = writeln!(
            text,
            "      {role}: {{device_type: qemu, count: 1, essential: {essential}, context: {context}}}"
        );
    }
    // What both do is that of a job of one machine.
    let single = one.text();
    let (deploy, rest) = single.split_once("actions:\n").unwrap().1.split_once("- boot:\n").unwrap();
    let (boot, _) = rest.split_once("- test:\n").unwrap();
    let both = "    role: [server, client]\n";
    let _ = write!(text, "actions:\n{}", deploy.replacen("- deploy:\n", &format!("- deploy:\n{both}"), 1));
    let _ = write!(text, "- boot:\n{both}{boot}");
    for (role, steps) in [("server", server), ("client", client)] {
        let _ = write!(
            text,
            "- test:\n    role: [{role}]\n    definitions:\n    - from: inline\n      name: talk\n      \
             path: inline/talk.yaml\n      repository:\n        \
             metadata: {{format: Lava-Test Test Definition 1.0, name: talk}}\n        run:\n          steps:\n"
        );
        for step in steps {
            let _ = writeln!(text, "          - '{}'", step.replace('\'', "''"));
        }
    }
    text
}

fn verdict(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&std::fs::read(sandbox.path().join("out/group.json")).unwrap()).unwrap()
}

#[test]
fn two_guests_meet_on_one_network_and_exchange_messages_and_bytes() {
    let guest = need!(Guest::find("arm64"));
    let text = group(
        &guest,
        false,
        &[
            "lava-test-case self --shell test \"$(lava-self) $(lava-role)\" = \"7 server\"",
            "lava-test-case group --shell test \"$(lava-group | tr '\\n\\t' ', ')\" = \"7 server,8 client,\"",
            "own=$(ip -4 -o addr show | sed -n \"s/.* \\(172[.]20[.]76[.][0-9]*\\)\\/.*/\\1/p\")",
            "lava-send address ip=$own",
            "head -c 4194304 /dev/zero > /tmp/zeros",
            "lava-test-case serve --shell httpd -p 8080 -h /tmp",
            "lava-sync ready",
            "lava-wait-all done client",
            "lava-test-case told --shell grep -qx 8:value=seven /tmp/lava_multi_node_cache.txt",
        ],
        &[
            "lava-wait address",
            "there=$(sed -n \"s/.*:ip=//p\" /tmp/lava_multi_node_cache.txt)",
            "lava-test-case ping --shell ping -c 3 $there",
            "lava-sync ready",
            "lava-test-case bytes --shell \"test $(wget -q -O - http://$there:8080/zeros | wc -c) = 4194304\"",
            "lava-send done value=seven",
        ],
    );
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", &text);
    let finished = sandbox.pumice(["run", "--job-id", "7", "-o", "out", path.to_str().unwrap()], LIMIT);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    let tests = |node: &str| Results::read(&sandbox.path().join("out").join(node)).tests();
    assert_eq!(
        tests("server"),
        [
            "0_talk/self pass",
            "0_talk/group pass",
            "0_talk/multinode-send-address pass",
            "0_talk/serve pass",
            "0_talk/multinode-sync-ready pass",
            "0_talk/multinode-wait_all-done pass",
            "0_talk/told pass",
        ]
    );
    assert_eq!(
        tests("client"),
        [
            "0_talk/multinode-wait-address pass",
            "0_talk/ping pass",
            "0_talk/multinode-sync-ready pass",
            "0_talk/bytes pass",
            "0_talk/multinode-send-done pass",
        ]
    );
    let verdict = verdict(&sandbox);
    assert_eq!(verdict["verdict"], "complete", "{verdict}");
    assert_eq!(verdict["nodes"][1]["name"], "client", "{verdict}");
    sandbox.is_empty_within(Duration::from_secs(2));
}

/// Kills the machine of the server once both are at work; says how the group and the client ended.
fn killed(guest: &Guest, essential: bool, client: &[&str]) -> (Value, (String, String, String)) {
    let sandbox = Sandbox::new();
    let text = group(guest, essential, &["lava-test-case server-up --result pass", "sleep 600"], client);
    let path = sandbox.write("job.yaml", &text);
    let arguments = ["run", "-o", "out", path.to_str().unwrap()];
    let mut running = sandbox.start(&mut sandbox.command("pumice", arguments));
    running.wait_for("0_talk/server-up", LIMIT);
    running.wait_for("0_talk/client-up", LIMIT);
    let processes = sandbox.processes();
    let node = processes.iter().find(|process| process.command_line.ends_with("/node-1")).unwrap();
    let machine = processes.iter().find(|process| process.parent == node.id && is_machine(process));
    machine.expect("the server's machine runs").kill();
    let finished = running.wait(Duration::from_secs(60));
    assert_eq!(finished.status.code(), Some(66), "{}", finished.stderr);
    let failure = Results::read(&sandbox.path().join("out/client")).failure().unwrap();
    sandbox.is_empty_within(Duration::from_secs(2));
    (verdict(&sandbox), failure)
}

fn is_machine(process: &Process) -> bool {
    process.command_line.contains("qemu-system")
}

#[test]
fn a_node_whose_machine_is_killed_ends_the_wait_of_the_other_at_once() {
    let guest = need!(Guest::find("arm64"));
    let (verdict, (cause, fault, message)) =
        killed(&guest, false, &["lava-test-case client-up --result pass", "lava-sync never"]);
    assert_eq!((cause.as_str(), fault.as_str()), ("peer-failed", "infrastructure"), "{message}");
    assert!(message.contains("lava-sync never") && message.contains("SIGKILL"), "{message}");
    // The first failure is the group's: the other follows from it.
    assert_eq!(verdict["failure"]["cause"], "simulator-exited", "{verdict}");
    assert_eq!(verdict["nodes"][0]["failure"]["cause"], "simulator-exited", "{verdict}");
}

#[test]
fn an_essential_node_takes_the_others_with_it_whatever_they_do() {
    let guest = need!(Guest::find("arm64"));
    let (_, (cause, _, message)) =
        killed(&guest, true, &["lava-test-case client-up --result pass", "sleep 600"]);
    assert_eq!(cause, "peer-failed", "{message}");
    assert!(message.contains("essential") && message.contains("server"), "{message}");
}

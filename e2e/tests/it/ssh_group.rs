//! A MultiNode job whose roles are connections to the machine of another one, over SSH.

use std::time::Duration;

use e2e::{Finished, Results, Sandbox, SshServer, need};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(150);

/// A machine, and two logins to it that begin when its tests say so and learn from it where it is.
fn job(sandbox: &Sandbox, address: &str) -> String {
    let definition = |role: &str, steps: &[String]| {
        let steps: Vec<_> = steps.iter().map(|step| format!("          - '{step}'\n")).collect();
        format!(
            "- test:\n    role: [{role}]\n    definitions:\n    - from: inline\n      name: {role}\n      \
             path: {role}.yaml\n      repository:\n        \
             metadata: {{format: Lava-Test Test Definition 1.0, name: {role}, description: x}}\n        \
             run:\n          steps:\n{}",
            steps.concat()
        )
    };
    let mark = sandbox.path().join("a-guest-was-here");
    let host = [
        format!("lava-send ipv4 ipaddr={address}"),
        format!("lava-test-case alone --shell test ! -e {}", mark.display()),
        "lava-send lava_start".to_owned(),
        "lava-sync done".to_owned(),
        format!("lava-test-case visited --shell test -e {}", mark.display()),
    ];
    let guest = [
        format!("touch {}", mark.display()),
        "lava-test-case role --shell test \"$(lava-role)\" = guest".to_owned(),
        "lava-test-case terminal --shell test -t 0".to_owned(),
        "lava-sync done".to_owned(),
    ];
    format!(
        "job_name: logins\nvisibility: public\n\
         timeouts: {{job: {{minutes: 2}}, action: {{minutes: 1}}, connection: {{seconds: 30}}}}\n\
         protocols:\n  lava-multinode:\n    timeout: {{minutes: 1}}\n    roles:\n      \
         host: {{device_type: ssh, count: 1}}\n      \
         guest: {{connection: ssh, count: 2, host_role: host, expect_role: host, request: lava-start}}\n\
         actions:\n- deploy: {{role: [host], to: ssh, os: oe}}\n\
         - boot: {{role: [host], method: ssh, prompts: ['board:~# ']}}\n\
         - deploy:\n    role: [guest]\n    to: ssh\n    os: oe\n    protocols:\n      lava-multinode:\n      \
         - {{action: scp-overlay, request: lava-wait, messageID: ipv4, message: {{ipaddr: $ipaddr}}}}\n\
         - boot:\n    role: [guest]\n    method: ssh\n    parameters: {{hostID: ipv4, host_key: ipaddr}}\n    \
         prompts: ['board:~# ']\n{}{}",
        definition("host", &host),
        definition("guest", &guest)
    )
}

fn run(sandbox: &Sandbox, server: &SshServer, address: &str) -> Finished {
    let device = sandbox.write("board.jinja2", server.device("user_key"));
    let job = sandbox.write("job.yaml", job(sandbox, address));
    let role = format!("host={}", device.display());
    sandbox.pumice(["run", "-o", "out", "--role-device", &role, job.to_str().unwrap()], LIMIT)
}

#[test]
fn logins_begin_when_their_host_says_so_and_where_it_says() {
    let sandbox = Sandbox::new();
    let server = need!(SshServer::start(&sandbox));
    let finished = run(&sandbox, &server, "127.0.0.1");
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    // Nobody waits for a message that was sent: its case may stand behind the next one.
    let tests = |node: &str| {
        let mut tests = Results::read(&sandbox.path().join("out").join(node)).tests();
        tests.sort();
        tests
    };
    assert_eq!(
        tests("host"),
        [
            "0_host/alone pass",
            "0_host/multinode-send-ipv4 pass",
            "0_host/multinode-send-lava_start pass",
            "0_host/multinode-sync-done pass",
            "0_host/visited pass",
        ]
    );
    for node in ["guest-1", "guest-2"] {
        let expected = ["0_guest/multinode-sync-done pass", "0_guest/role pass", "0_guest/terminal pass"];
        assert_eq!(tests(node), expected, "{node}");
    }
    drop(server);
    sandbox.is_empty_within(Duration::from_secs(5));
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_run_with_it() {
    let sandbox = Sandbox::new();
    let server = need!(SshServer::start(&sandbox));
    let finished = run(&sandbox, &server, "-oProxyCommand=true");
    assert_ne!(finished.status.code(), Some(0), "{}", finished.stderr);
    let text = fs_err::read(sandbox.path().join("out/group.json")).unwrap();
    let group: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(group["failure"]["cause"], "signal-invalid", "{group}");
    let message = group["failure"]["message"].as_str().unwrap();
    assert!(message.contains("is no address"), "{message}");
}

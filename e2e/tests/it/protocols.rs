//! Requests of `protocols` in a MultiNode job, in every kind of block, and what `$NAME` in them becomes.

use std::time::Duration;

use e2e::{Results, Sandbox, ShellMachine};

const LIMIT: Duration = Duration::from_secs(120);

/// One node tells an address and waits for what the other one makes of it.
const JOB: &str = r"job_name: requests
visibility: public
timeouts: {job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}}
protocols:
  lava-multinode:
    timeout: {minutes: 1}
    roles:
      server: {device_type: command, count: 1}
      client: {device_type: command, count: 1}
actions:
- boot: {role: [server], method: command, prompts: ['root@guest:~#']}
- test:
    role: [server]
    interactive:
    - name: tell
      prompts: ['root@guest:~#']
      script:
      - lava-send: address ip=10.1.2.3 port=80
      - lava-wait: found
      - {name: found, command: 'echo the client found {of} by {by}', successes: [{message: found 10.1.2.3 by port 80}]}
      - lava-sync: end
- boot:
    role: [client]
    method: command
    prompts: ['root@guest:~#']
    protocols:
      lava-multinode:
      - {action: auto-login-action, request: lava-wait, messageID: address, message: {there: $ip, door: $port}}
- test:
    role: [client]
    protocols:
      lava-multinode:
      - {action: lava-test-interactive, request: lava-send, messageID: found, message: {of: $there, by: port 80}}
    interactive:
    - name: look
      prompts: ['root@guest:~#']
      script: [{name: alive, command: 'true'}, {lava-sync: end}]
";

#[test]
fn what_a_message_brought_to_one_block_is_sent_on_by_another() {
    let sandbox = Sandbox::new();
    let [device, _] = ShellMachine::default().write(&sandbox);
    let job = sandbox.write("group.yaml", JOB);
    let words = ["run", "-o", "out", "--device", device.to_str().unwrap(), job.to_str().unwrap()];
    let finished = sandbox.pumice(words, LIMIT);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    let tests = |node: &str| Results::read(&sandbox.path().join("out").join(node)).tests();
    assert_eq!(tests("server"), ["0_tell/found pass"]);
    assert_eq!(tests("client"), ["0_look/alive pass"]);
    sandbox.is_empty_within(Duration::from_secs(2));
}

#[test]
fn a_name_that_no_message_has_brought_is_told_with_what_is_missing() {
    let sandbox = Sandbox::new();
    let [device, _] = ShellMachine::default().write(&sandbox);
    let job = sandbox.write("group.yaml", JOB.replace("of: $there", "of: $where"));
    let words = ["run", "-o", "out", "--device", device.to_str().unwrap(), job.to_str().unwrap()];
    let finished = sandbox.pumice(words, LIMIT);
    let (cause, fault, message) = Results::read(&sandbox.path().join("out/client")).failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("invalid-definition", "job"), "{message}");
    assert!(message.contains("`$where` is to be sent"), "{message}\n{}", finished.stderr);
    // Who waits for it ends at once, with the reason.
    let (cause, _, message) = Results::read(&sandbox.path().join("out/server")).failure().unwrap();
    assert_eq!(cause, "peer-failed", "{message}");
    assert!(message.contains("`$where`"), "{message}");
    sandbox.is_empty_within(Duration::from_secs(2));
}

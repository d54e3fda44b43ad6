//! Every kind of block that works with a machine which is there already, in a row on one guest.

use std::{net::TcpListener, path::PathBuf, time::Duration};

use e2e::{Guest, Results, Sandbox, need};
use fs_err as fs;

const LIMIT: Duration = Duration::from_secs(290);

/// A device as a lab describes it: with a second connection, and with commands that leave a line each.
fn device(sandbox: &Sandbox, second_port: u16) -> PathBuf {
    let note = |what: &str| format!("sh -c \"echo {what} >> {}\"", sandbox.path().join("commands").display());
    let [pre_power, pre_os, mark, unmark] = ["pre-power", "pre-os", "mark", "unmark"].map(note);
    let text = format!(
        "{{% extends 'qemu.jinja2' %}}\n{{% set connection_list = ['second'] %}}\n\
         {{% set connection_commands = {{'second': 'busybox telnet 127.0.0.1 {second_port}'}} %}}\n\
         {{% set pre_power_command = '{pre_power}' %}}\n{{% set pre_os_command = '{pre_os}' %}}\n\
         {{% set user_commands = {{'mark': {{'do': '{mark}', 'undo': '{unmark}'}}}} %}}\n"
    );
    sandbox.write("guest.jinja2", text)
}

/// The job. The console says what the monitor reads before anybody has logged in; the scripts log in themselves and
/// start what the second connection leads to.
fn job(guest: &Guest, second_port: u16) -> String {
    let definition = |name: &str, step: &str| {
        format!(
            "    definitions:\n    - from: inline\n      name: {name}\n      path: {name}.yaml\n      repository:\n        \
             metadata: {{format: Lava-Test Test Definition 1.0, name: {name}, description: x}}\n        \
             run: {{steps: ['{step}']}}\n"
        )
    };
    let shell = "    prompts: ['root@guest:~# ']\n";
    let login = "    auto_login: {login_prompt: 'guest login:', username: root}\n";
    let monitor = |name: &str| {
        format!(
            "- test:\n    namespace: guest\n    timeout: {{minutes: 2}}\n    monitors:\n    - name: {name}\n      \
             start: Linux version\n      end: 'guest login:'\n      \
             pattern: '(?P<test_case_id>Memory): (?P<measurement>\\d+)(?P<units>K)/'\n      expected: [memory]\n"
        )
    };
    [
        "job_name: blocks in a row\ndevice_type: qemu\nvisibility: public\n\
         timeouts: {job: {minutes: 12}, action: {minutes: 4}, connection: {minutes: 2}}\n\
         context: {arch: arm64, memory: 512M}\nactions:\n",
        &format!(
            "- deploy:\n    namespace: guest\n    to: tmpfs\n    images:\n      \
             kernel: {{url: 'file://{}', image_arg: '-kernel {{kernel}} -append \"console=ttyAMA0\"'}}\n      \
             ramdisk: {{url: 'file://{}', image_arg: '-initrd {{ramdisk}}'}}\n",
            guest.kernel().display(),
            guest.initrd().display()
        ),
        "- command: {namespace: guest, name: mark}\n- command: {namespace: guest, name: pre_os_command}\n",
        &format!(
            "- boot:\n    namespace: guest\n    method: qemu\n    media: tmpfs\n    \
             network: {{mode: user, forwards: [{{host_port: {second_port}, guest_port: 23}}]}}\n"
        ),
        &monitor("First-Boot"),
        "- test:\n    namespace: guest\n    timeout: {minutes: 2}\n    interactive:\n    - name: by-hand\n      \
         prompts: ['root@guest:~# ']\n      echo: discard\n      script:\n      \
         - {name: login, command: root}\n      \
         - {name: machine, command: uname -m, successes: [{message: '(?P<machine>aarch64)'}]}\n      \
         - {name: known, command: 'echo {machine} of job {JOB_ID}', successes: [{message: aarch64 of job 5}]}\n      \
         - {name: missing, command: ls /nowhere, failures: [{message: No such file}]}\n      \
         - {delay: 1}\n      - {command: telnetd -l /bin/sh}\n      \
         - {command: 'until grep -q 0:0017 /proc/net/tcp*; do sleep 1; done'}\n",
        "- boot:\n    namespace: second\n    method: new_connection\n    connection: second\n",
        shell,
        "- test:\n    namespace: guest\n    connection-namespace: second\n    timeout: {minutes: 2}\n",
        &definition("over", "lava-test-case telnet --shell \"tty | grep -q pts\""),
        "- boot:\n    namespace: guest\n    method: minimal\n    pre_power_command: true\n    pre_os_command: true\n",
        shell,
        login,
        "- test:\n    namespace: guest\n    timeout: {minutes: 2}\n",
        &definition("again", "lava-test-case serial --shell \"tty | grep -q ttyAMA0\""),
        "- command: {namespace: guest, name: hard_reset}\n",
        &monitor("Second-Boot"),
        "- command: {namespace: guest, name: power_off}\n",
    ]
    .concat()
}

#[test]
fn monitors_scripts_connections_commands_and_resets_in_a_row_on_one_guest() {
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    // It was ours a moment ago, and nobody else here takes ports by number.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (device, job) = (device(&sandbox, port), sandbox.write("job.yaml", job(&guest, port)));
    let words = ["run", "-q", "--job-id", "5", "-o", "out", "--device"];
    let paths = [device.to_str().unwrap(), job.to_str().unwrap()];
    let finished = sandbox.pumice(words.into_iter().chain(paths), LIMIT);
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    assert_eq!(
        results.tests(),
        [
            "first-boot/memory pass",
            "0_by-hand/login pass",
            "0_by-hand/machine pass",
            "0_by-hand/known pass",
            "0_by-hand/missing fail",
            "0_over/telnet pass",
            "1_again/serial pass",
            "second-boot/memory pass",
        ]
    );
    assert!(results.measurement("memory").is_some_and(|kibibytes| kibibytes > 10_000.0));
    let cases = results.cases();
    for case in ["new-connection", "user-command", "0_by-hand", "0_over", "1_again", "job"] {
        assert!(cases.contains(&format!("lava/{case} pass")), "no {case} in {cases:?}");
    }
    let commands = fs::read_to_string(sandbox.path().join("commands")).unwrap();
    assert_eq!(commands, "mark\npre-os\npre-power\npre-os\nunmark\n");
    sandbox.is_empty_within(Duration::from_secs(2));
}

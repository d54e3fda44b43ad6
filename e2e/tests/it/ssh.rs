//! A machine that runs already, reached over SSH: an `sshd` of the test's own on the loopback address.

use std::{path::PathBuf, time::Duration};

use e2e::{Results, Sandbox, SshServer, need};

const LIMIT: Duration = Duration::from_secs(60);

/// Two logins, the second one for a test of the first one's overlay.
fn job(sandbox: &Sandbox) -> PathBuf {
    let kernel = sandbox.write("Image", "a kernel");
    let definition = |name: &str, step: &str| {
        format!(
            "    definitions:\n    - from: inline\n      name: {name}\n      path: {name}.yaml\n      repository:\n        \
             metadata: {{format: Lava-Test Test Definition 1.0, name: {name}, description: x}}\n        \
             run: {{steps: ['{step}']}}\n"
        )
    };
    let boot = |namespace: &str| {
        format!("- boot:\n    namespace: {namespace}\n    method: ssh\n    prompts: ['board:~# ']\n")
    };
    let text = format!(
        "job_name: ssh\ndevice_type: ssh\nvisibility: public\n\
         timeouts: {{job: {{minutes: 2}}, action: {{seconds: 30}}, connection: {{seconds: 20}}}}\nactions:\n\
         - deploy:\n    namespace: board\n    to: ssh\n    os: oe\n    kernel: {{url: 'file://{}'}}\n{}{}\
         - test:\n    namespace: board\n{}\
         - test:\n    namespace: board\n    connection-namespace: second\n{}",
        kernel.display(),
        boot("board"),
        boot("second"),
        definition("first", "lava-test-case file --shell grep -q kernel \"${LAVA_HOME}/kernel/Image\""),
        definition("second", "lava-test-case terminal --shell test -t 0"),
    );
    sandbox.write("job.yaml", text)
}

#[test]
fn tests_run_on_a_machine_over_two_logins() {
    let sandbox = Sandbox::new();
    let server = need!(SshServer::start(&sandbox));
    let (device, job) = (sandbox.write("board.jinja2", server.device("user_key")), job(&sandbox));
    let paths = [device.to_str().unwrap(), job.to_str().unwrap()];
    let finished = sandbox.pumice(["run", "-q", "-o", "out", "--device"].into_iter().chain(paths), LIMIT);
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    assert_eq!(results.tests(), ["0_first/file pass", "1_second/terminal pass"]);
    let cases = results.cases();
    assert!(cases.contains(&"lava/scp-deploy pass".to_owned()), "{cases:?}");
    drop(server);
    sandbox.is_empty_within(Duration::from_secs(5));
}

#[test]
fn a_key_that_the_machine_does_not_know_is_told_as_ssh_tells_it() {
    let sandbox = Sandbox::new();
    let server = need!(SshServer::start(&sandbox));
    let (device, job) = (sandbox.write("board.jinja2", server.device("host_key")), job(&sandbox));
    let paths = [device.to_str().unwrap(), job.to_str().unwrap()];
    let finished = sandbox.pumice(["run", "-q", "-o", "out", "--device"].into_iter().chain(paths), LIMIT);
    let (cause, fault, message) = Results::read(&sandbox.path().join("out")).failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("console-lost", "infrastructure"), "{message}");
    assert!(message.contains("SSH"), "{message}");
    assert!(finished.stderr.contains("Permission denied"), "{}", finished.stderr);
}

//! A machine that runs already, reached over SSH: an `sshd` of the test's own on the loopback address.

use std::{
    fs::Permissions,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Results, Running, Sandbox, need, program};
use fs_err as fs;

const LIMIT: Duration = Duration::from_secs(60);

/// A server with keys of its own, for whoever runs the test.
struct Server {
    _running: Running,
    port: u16,
}

impl Server {
    fn start(sandbox: &Sandbox, sshd: &Path) -> Self {
        let here = sandbox.path();
        for key in ["host_key", "user_key"] {
            let keygen = ["-q", "-t", "ed25519", "-N", "", "-f"];
            let made = Command::new("ssh-keygen").args(keygen).arg(here.join(key)).status().unwrap();
            assert!(made.success());
        }
        fs::copy(here.join("user_key.pub"), here.join("authorized_keys")).unwrap();
        // The shell of a session: what is asked for, else an interactive one with a prompt of its own.
        let shell = sandbox.write(
            "shell",
            format!(
                "#!/bin/sh\ncd {}\n[ -z \"$SSH_ORIGINAL_COMMAND\" ] || exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n\
                 PS1='board:~# ' ENV= exec sh -i\n",
                here.display()
            ),
        );
        fs::set_permissions(&shell, Permissions::from_mode(0o755)).unwrap();
        // It was ours a moment ago, and nobody else here takes ports by number.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = sandbox.write(
            "sshd_config",
            format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {0}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
                 AuthorizedKeysFile {0}/authorized_keys\nPasswordAuthentication no\nPermitRootLogin yes\n\
                 ForceCommand {0}/shell\n",
                here.display()
            ),
        );
        // As root it wants an empty directory at a fixed place: in a mount namespace of its own there is one.
        let script = "[ $(id -u) != 0 ] || { mount -t tmpfs none /run && mkdir /run/sshd; }; exec \"$@\"";
        let is_root = rustix::process::getuid().is_root();
        let (starter, first): (&str, &[&str]) =
            if is_root { ("unshare", &["--mount", "sh", "-c", script, "sh"]) } else { ("env", &[]) };
        let mut command = sandbox.foreign(starter, first);
        let running = sandbox.start(command.arg(sshd).args(["-D", "-e", "-f"]).arg(config));
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "no sshd: {}", running.output().concat());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { _running: running, port }
    }
}

/// The dictionary of a device that is reached there, its tests kept below the sandbox.
fn device(sandbox: &Sandbox, port: u16, key: &str) -> PathBuf {
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let text = format!(
        "{{% extends 'ssh.jinja2' %}}\n{{% set ssh_host = '127.0.0.1' %}}\n{{% set ssh_port = {port} %}}\n\
         {{% set ssh_user = '{}' %}}\n{{% set ssh_identity_file = '{1}/{key}' %}}\n\
         {{% set lava_test_results_dir = '{1}/lava-%s' %}}\n",
        String::from_utf8(user).unwrap().trim(),
        sandbox.path().display()
    );
    sandbox.write("board.jinja2", text)
}

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
    let sshd = need!(program("sshd"));
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &sshd);
    let (device, job) = (device(&sandbox, server.port, "user_key"), job(&sandbox));
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
    let sshd = need!(program("sshd"));
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &sshd);
    let (device, job) = (device(&sandbox, server.port, "host_key"), job(&sandbox));
    let paths = [device.to_str().unwrap(), job.to_str().unwrap()];
    let finished = sandbox.pumice(["run", "-q", "-o", "out", "--device"].into_iter().chain(paths), LIMIT);
    let (cause, fault, message) = Results::read(&sandbox.path().join("out")).failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("console-lost", "infrastructure"), "{message}");
    assert!(message.contains("SSH"), "{message}");
    assert!(finished.stderr.contains("Permission denied"), "{}", finished.stderr);
}

//! A machine that runs already: an `sshd` of the test's own on the loopback address.

use std::{
    fs::Permissions,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use fs_err as fs;

use crate::{Missing, Running, Sandbox, program};

/// How long it may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with keys of its own, `user_key` and `host_key`, for whoever runs the test. The prompt of its shell is
/// `board:~# `.
pub struct SshServer {
    _running: Running,
    directory: PathBuf,
    port: u16,
}

impl SshServer {
    /// Starts it, with its files in the sandbox.
    ///
    /// # Errors
    /// There is no `sshd`.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(sandbox: &Sandbox) -> Result<Self, Missing> {
        let sshd = program("sshd")?;
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
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "no sshd: {}", running.output().concat());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { _running: running, directory: here.to_owned(), port })
    }

    /// The text of a dictionary of a device that is reached there with a key of the sandbox, its tests kept in the
    /// sandbox.
    ///
    /// # Panics
    /// When nobody can say who runs the test.
    pub fn device(&self, key: &str) -> String {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        format!(
            "{{% extends 'ssh.jinja2' %}}\n{{% set ssh_host = '127.0.0.1' %}}\n{{% set ssh_port = {} %}}\n\
             {{% set ssh_user = '{}' %}}\n{{% set ssh_identity_file = '{2}/{key}' %}}\n\
             {{% set lava_test_results_dir = '{2}/lava-%s' %}}\n",
            self.port,
            String::from_utf8(user).unwrap().trim(),
            self.directory.display()
        )
    }
}

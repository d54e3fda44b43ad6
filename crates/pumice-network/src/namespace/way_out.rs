//! The way out of a namespace: `slirp4netns`, which carries what leaves it in user space.
//!
//! ```text
//!  machine ── tap ── routes of the namespace ── out ── slirp4netns ── sockets of an ordinary process of this host
//! ```
//!
//! It needs no privilege and changes nothing of the host: no forwarding, no rule of a firewall, no address. What
//! rootless containers leave by, and the code behind it (libslirp) is that of QEMU's own `user` network, so that both
//! modes behave alike: TCP and UDP go out, nothing comes in. What may be reached are the routes of the namespace.
//! Addresses are not translated twice: it answers the machine's own address, for which the namespace answers its
//! queries (RFC 1027, proxy ARP).

use std::{
    ffi::OsString,
    fs,
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use pumice_process::{Child, Command, Guard, Stdio};
use pumice_types::{Blame as _, Cause, Deadline, Failure};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::{io::AsyncReadExt as _, net::unix::pipe};

use crate::{
    Reach,
    program::{Refused, find, ip},
};

/// The program and the Debian package that has it.
const PROGRAM: &str = "slirp4netns";

/// The interface it carries.
const INTERFACE: &str = "out";

/// The addresses that it has by itself (slirp4netns(1)): those of QEMU's network of mode `user`.
const OWN: &str = "10.0.2.100/24";
const ROUTER: &str = "10.0.2.2";

/// Where it answers queries for names, as this host would.
pub(super) const NAMES: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);

/// Makes the interface and the routes that lead to it. Called inside the namespace.
pub(super) fn prepare(reach: &Reach, search_path: &str) -> Result<(), Refused> {
    for words in [
        vec!["tuntap", "add", "dev", INTERFACE, "mode", "tap"],
        vec!["address", "add", OWN, "dev", INTERFACE],
        vec!["link", "set", INTERFACE, "up"],
    ] {
        ip(search_path, &words)?;
    }
    for destination in reach.destinations() {
        ip(search_path, &["route", "add", &destination, "via", ROUTER, "dev", INTERFACE])?;
    }
    // Documentation/networking/ip-sysctl.rst of the kernel; all of them are the namespace's own.
    let interface = format!("neigh/{INTERFACE}/proxy_delay");
    let answers = format!("conf/{INTERFACE}/proxy_arp");
    for (name, value) in [(interface.as_str(), "0"), (answers.as_str(), "1"), ("ip_forward", "1")] {
        let path = format!("/proc/sys/net/ipv4/{name}");
        fs::write(&path, value).map_err(|error| {
            let hint = "/proc/sys must be writable: a container that pumice runs in needs `--privileged`";
            (format!("cannot write {path}: {error}"), hint.to_owned())
        })?;
    }
    Ok(())
}

/// A way out that is there.
#[derive(Debug)]
pub(super) struct WayOut {
    carrier: Child,
    /// The file with what it says.
    said: PathBuf,
    /// It ends when this is closed, whichever way we end.
    _lifeline: OwnedFd,
}

impl WayOut {
    /// Starts `slirp4netns` for the namespace of `keeper`. `entry` are the words that become root in the user namespace
    /// around it, where there is one.
    pub(super) async fn open(
        guard: &Guard,
        keeper: i32,
        entry: &[OsString],
        directory: &Path,
        search_path: &str,
        deadline: &Deadline,
    ) -> Result<Self, Failure> {
        let failed = |why: &str| {
            Failure::new(Cause::NetworkSetup, format!("the machine's network has no way out: {why}"))
        };
        let program = find(PROGRAM, PROGRAM, search_path).map_err(|(message, hint)| {
            let none = "or have none: `reach = []` under `[networks]` in pumice's configuration";
            failed(&message).hint(format!("{hint}; {none}"))
        })?;
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(&error.to_string()));
        let ((ready, says_ready), (ends, lifeline)) = (pipe()?, pipe()?);
        let said = directory.join("way-out.log");
        let mut words = entry.to_vec();
        words.push(program.into());
        let command = Command::from_argv(words).ok_or_else(|| failed("no program"))?;
        let mut command = command
            .args(["--disable-host-loopback", "--enable-sandbox", "--enable-seccomp", "--netns-type=path"])
            .stdout(Stdio::File(said.clone()))
            .stderr(Stdio::SameAsOutput);
        let (says_ready, ends) = (command.inherit(says_ready), command.inherit(ends));
        let command = command
            .arg(format!("--ready-fd={says_ready}"))
            .arg(format!("--exit-fd={ends}"))
            .args([format!("/proc/{keeper}/ns/net"), INTERFACE.to_owned()]);
        let carrier = guard.spawn(&command).map_err(|error| error.failure())?;
        // It has its own copies; ours would hide its end.
        drop(command);
        let mut ready = pipe::Receiver::from_owned_fd(ready).map_err(|error| failed(&error.to_string()))?;
        let mut byte = [0];
        let heard = tokio::time::timeout_at(deadline.at().into(), ready.read(&mut byte)).await;
        match heard {
            Ok(Ok(1)) => Ok(Self { carrier, said, _lifeline: lifeline }),
            Err(_) => Err(failed("slirp4netns does not begin")),
            Ok(_) => {
                let said = fs::read_to_string(&said).unwrap_or_default();
                Err(failed("slirp4netns has ended")
                    .evidence(PROGRAM, said)
                    .hint("`pumice doctor` tries the same"))
            }
        }
    }

    /// Resolves when it has ended by itself. Cancel-safe.
    pub(super) async fn ended(&self) {
        self.carrier.wait().await;
    }

    /// That it has ended; `None` while it carries.
    pub(super) fn failure(&self) -> Option<Failure> {
        let exit = self.carrier.try_wait()?;
        let message = format!("the way out of the machine's network is gone: {PROGRAM} {}", exit.status);
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        let failure = Failure::new(Cause::NetworkLost, message);
        let failure = if said.trim().is_empty() { failure } else { failure.evidence(PROGRAM, said) };
        Some(failure.hint("was it killed by hand, or by the kernel for want of memory (`dmesg`)?"))
    }

    /// Ends it.
    pub(super) async fn end(self, deadline: &Deadline) -> Result<(), Failure> {
        self.carrier.kill_all(deadline).await.map(drop).map_err(|error| error.failure())
    }
}

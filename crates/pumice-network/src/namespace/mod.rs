//! A network namespace with a tap device, for one simulator (`network_namespaces(7)`, `tuntap` in the kernel's
//! documentation).
//!
//! ```text
//!  host                    │ namespace (lives as long as the processes in it)
//!  pumice ── keeper ───────┼─ DHCP on the tap; forwards: host port ──▶ guest port
//!    │         └ socket ───┼─ connects to ports that the simulator opens (its terminals)
//!    └── simulator ────────┼─ entered before its program starts; opens the tap by its name
//! ```
//!
//! Nothing of the host's own network is changed, and nothing has to be taken away: the kernel ends the namespace, and
//! the tap in it, with the last of the two processes. A user who may not make a network namespace makes it inside a
//! user namespace of his own (`user_namespaces(7)`), where the host allows that.

mod enter;
mod keeper;

use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use pumice_process::{Child, Command, Guard, Stdio};
use pumice_types::{Blame as _, Cause, Deadline, Failure};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

pub use enter::enter_main;
pub use keeper::{keeper_main, try_it};

/// The addresses in a namespace: the ones that models use in their own user network (fastmodels 6.1), so that a guest
/// is set up for both alike. The tap has .1, the machine gets .2.
pub const NETWORK: Ipv4Addr = Ipv4Addr::new(172, 20, 51, 0);

/// The address that the machine gets.
pub const GUEST: Ipv4Addr = Ipv4Addr::new(172, 20, 51, 2);

/// A TCP port of this host that leads into the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// On this host's loopback address.
    pub host_port: u16,
    /// In the guest.
    pub guest_port: u16,
}

/// What the keeper is told.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    tap: String,
    /// Where it listens for those who want to connect to a port in the namespace.
    socket: PathBuf,
    /// The `PATH` on which `ip` is found.
    search_path: String,
    /// The descriptor of each listener, and the port in the guest it leads to.
    forwards: Vec<(i32, u16)>,
}

/// What the keeper says once: the namespace is there, or why it is not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    /// Whether it is in a user namespace of its own.
    Ready {
        in_user_namespace: bool,
    },
    Failed {
        message: String,
        hint: String,
    },
}

/// A namespace that is there. Dropped, it is gone once its simulator is.
#[derive(Debug)]
pub struct Namespace {
    keeper: Child,
    socket: PathBuf,
    has_user: bool,
    helper: Vec<OsString>,
}

impl Namespace {
    /// Makes one with a tap device of this name. `helper` are the words by which our program becomes
    /// [`keeper_main`] (with `keep` and the rest) or [`enter_main`] (with `enter`). The forwarded ports are held from
    /// here on.
    ///
    /// # Errors
    /// A port is taken, or the host does not allow a namespace or a tap device.
    pub async fn make(
        guard: &Guard,
        helper: &[OsString],
        tap: &str,
        forwards: &[Forward],
        directory: &Path,
        search_path: &str,
        deadline: &Deadline,
    ) -> Result<Self, Failure> {
        let refused = |message: String| Failure::new(Cause::NetworkSetup, message);
        let Some((program, words)) = helper.split_first() else {
            return Err(Failure::new(Cause::Bug, "no program makes namespaces"));
        };
        let mut command = Command::new(program).args(words.iter().cloned()).arg("keep");
        let mut passed = Vec::new();
        for forward in forwards {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, forward.host_port)).map_err(|error| {
                let (host, guest) = (forward.host_port, forward.guest_port);
                refused(format!(
                    "port {host} of this host, to be forwarded to port {guest} of the guest: {error}"
                ))
                .hint("choose another port, or 0 for a free one")
            })?;
            passed.push((command.inherit(listener.into()), forward.guest_port));
        }
        let socket = directory.join("net");
        let wanted = Wanted {
            tap: tap.to_owned(),
            socket: socket.clone(),
            search_path: search_path.to_owned(),
            forwards: passed,
        };
        let text = serde_json::to_string(&wanted).map_err(|error| refused(error.to_string()))?;
        let command = command
            .arg(text)
            .env("PATH", search_path)
            .stdin(Stdio::Piped)
            .stdout(Stdio::Piped)
            .stderr(Stdio::Null);
        let mut keeper = guard.spawn(&command).map_err(|error| error.failure())?;
        drop(command);
        let told = read_told(&mut keeper, deadline).await;
        match told {
            Ok(Told::Ready { in_user_namespace }) => {
                Ok(Self { keeper, socket, has_user: in_user_namespace, helper: helper.to_vec() })
            }
            Ok(Told::Failed { message, hint }) => Err(refused(message).hint(hint)),
            Err(error) => Err(refused(format!("the network of the machine did not come up: {error}"))),
        }
    }

    /// The words in front of a program that shall run in the namespace.
    pub fn prefix(&self) -> Vec<OsString> {
        let mut words = self.helper.clone();
        words.push("enter".into());
        words.push(self.keeper.pid().to_string().into());
        words.push(if self.has_user { "user" } else { "plain" }.into());
        words
    }

    /// Where ports of the namespace are reached; see [`connect`].
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends the keeper. The namespace goes with the last process in it.
    pub async fn end(self, deadline: &Deadline) -> Result<(), Failure> {
        drop(std::fs::remove_file(&self.socket));
        self.keeper.kill_all(deadline).await.map(drop).map_err(|error| error.failure())
    }
}

async fn read_told(keeper: &mut Child, deadline: &Deadline) -> io::Result<Told> {
    let Some(stdout) = keeper.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let mut line = Vec::new();
    let mut lines = BufReader::new(stdout).take(64 << 10);
    let read = lines.read_until(b'\n', &mut line);
    tokio::time::timeout_at(deadline.at().into(), read).await.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(serde_json::from_slice(&line)?)
}

/// Connects to a TCP port that a program in the namespace listens on, on its loopback address.
///
/// # Errors
/// Nobody listens there, or the namespace is gone.
pub async fn connect(socket: &Path, port: u16) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_u16(port).await?;
    if stream.read_u8().await? != 1 {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

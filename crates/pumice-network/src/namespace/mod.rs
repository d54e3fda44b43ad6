//! A network namespace with a tap device, for one simulator (`network_namespaces(7)`, `tuntap` in the kernel's
//! documentation).
//!
//! ```text
//!  host                    │ namespace (lives as long as the processes in it)
//!  pumice ── keeper ───────┼─ DHCP on the tap; forwards: host port ──▶ guest port
//!    │         └ socket ───┼─ connects to ports that the simulator opens (its terminals); listens on ports of the
//!    │                     │  tap's address, where the guest reaches what is offered to it
//!    ├── simulator ────────┼─ entered before its program starts; opens the tap by its name
//!    └── slirp4netns ◀─────┼─ what the guest sends elsewhere, as far as the operator lets it
//! ```
//!
//! Nothing of the host's own network is changed, and nothing has to be taken away: the kernel ends the namespace, and
//! the devices in it, with the last of the processes in it. A user who may not make a network namespace makes it inside
//! a user namespace of his own (`user_namespaces(7)`), where the host allows that.

mod enter;
mod keeper;
mod passing;
mod way_out;

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
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpStream, UnixStream},
    task::JoinSet,
};

use crate::Reach;
use way_out::WayOut;

pub use enter::enter_main;
pub use keeper::keeper_main;

/// The addresses in a namespace: the ones that models use in their own user network (fastmodels 6.1), so that a guest
/// is set up for both alike. The tap has .1, the machine gets .2.
pub const NETWORK: Ipv4Addr = Ipv4Addr::new(172, 20, 51, 0);

/// The address of the tap, at which the machine reaches this host.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 20, 51, 1);

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

/// What a namespace is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The words by which our program becomes [`keeper_main`] (with `keep` and the rest) or [`enter_main`] (with
    /// `enter`).
    pub helper: &'a [OsString],
    /// The name of the tap device.
    pub tap: &'a str,
    /// Ports of this host that lead into the guest, held from here on.
    pub forwards: &'a [Forward],
    /// What the machine may reach of other networks.
    pub reach: &'a Reach,
    /// A directory for sockets and logs; short, so that socket paths fit.
    pub directory: &'a Path,
    /// The `PATH` on which programs of the host are found.
    pub search_path: &'a str,
}

/// What the keeper is told.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    tap: String,
    /// Where it listens for those who want to reach a port in the namespace, or to be reached at one.
    socket: PathBuf,
    /// The `PATH` on which `ip` is found.
    search_path: String,
    reach: Reach,
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

/// What a connection to the keeper is for; a port follows.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Asked {
    /// To be led to a port that the simulator listens on.
    Connect = b'c',
    /// To get a socket that listens on this port of the tap's address.
    Listen = b'l',
}

/// A namespace that is there. Dropped, it is gone once its simulator is.
#[derive(Debug)]
pub struct Namespace {
    keeper: Child,
    way_out: Option<WayOut>,
    socket: PathBuf,
    has_user: bool,
    helper: Vec<OsString>,
    offered: JoinSet<()>,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    /// A port is taken, or the host does not allow a namespace or a tap device, or has no `slirp4netns` where the
    /// machine is to have a way out.
    pub async fn make(guard: &Guard, plan: Plan<'_>, deadline: &Deadline) -> Result<Self, Failure> {
        let refused = |message: String| Failure::new(Cause::NetworkSetup, message);
        let Some((program, words)) = plan.helper.split_first() else {
            return Err(Failure::new(Cause::Bug, "no program makes namespaces"));
        };
        let mut command = Command::new(program).args(words.iter().cloned()).arg("keep");
        let mut passed = Vec::new();
        for forward in plan.forwards {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, forward.host_port)).map_err(|error| {
                let (host, guest) = (forward.host_port, forward.guest_port);
                refused(format!(
                    "port {host} of this host, to be forwarded to port {guest} of the guest: {error}"
                ))
                .hint("choose another port, or 0 for a free one")
            })?;
            passed.push((command.inherit(listener.into()), forward.guest_port));
        }
        let socket = plan.directory.join("net");
        let wanted = Wanted {
            tap: plan.tap.to_owned(),
            socket: socket.clone(),
            search_path: plan.search_path.to_owned(),
            reach: plan.reach.clone(),
            forwards: passed,
        };
        let text = serde_json::to_string(&wanted).map_err(|error| refused(error.to_string()))?;
        let command = command
            .arg(text)
            .env("PATH", plan.search_path)
            .stdin(Stdio::Piped)
            .stdout(Stdio::Piped)
            .stderr(Stdio::Null);
        let mut keeper = guard.spawn(&command).map_err(|error| error.failure())?;
        drop(command);
        let has_user = match read_told(&mut keeper, deadline).await {
            Ok(Told::Ready { in_user_namespace }) => in_user_namespace,
            Ok(Told::Failed { message, hint }) => return Err(refused(message).hint(hint)),
            Err(error) => {
                return Err(refused(format!("the network of the machine did not come up: {error}")));
            }
        };
        let helper = plan.helper.to_vec();
        let mut made = Self { keeper, way_out: None, socket, has_user, helper, offered: JoinSet::new() };
        if !plan.reach.is_nothing() {
            let entry = if has_user { made.entry("user") } else { Vec::new() };
            let keeper = made.keeper.pid();
            let opened =
                WayOut::open(guard, keeper, &entry, plan.directory, plan.search_path, deadline).await;
            made.way_out = Some(opened?);
        }
        Ok(made)
    }

    /// The words in front of a program that shall run in these namespaces of the keeper's.
    fn entry(&self, namespaces: &str) -> Vec<OsString> {
        let mut words = self.helper.clone();
        words.push("enter".into());
        words.push(self.keeper.pid().to_string().into());
        words.push(namespaces.into());
        words
    }

    /// The words in front of a program that shall run in the namespace.
    pub fn prefix(&self) -> Vec<OsString> {
        self.entry(if self.has_user { "user,network" } else { "network" })
    }

    /// Whether it is inside a user namespace, which was made for a user who may not make it otherwise.
    pub fn has_user(&self) -> bool {
        self.has_user
    }

    /// Where ports of the namespace are reached; see [`connect`].
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Lets the machine reach a TCP port of this host's loopback address, at the same port of [`GATEWAY`]: for as long
    /// as the namespace is there, and for nobody else.
    ///
    /// # Errors
    /// The keeper is gone, or the port was offered before.
    pub async fn offer(&mut self, port: u16) -> io::Result<()> {
        let mut stream = ask(&self.socket, Asked::Listen, port).await?;
        let listener = passing::receive(&stream).await?;
        stream.shutdown().await?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        self.offered.spawn(lead_home(listener, port));
        Ok(())
    }

    /// Resolves when a process that carries the network has ended by itself. Cancel-safe.
    pub async fn broken(&self) {
        let way_out = async {
            match &self.way_out {
                Some(way_out) => way_out.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.keeper.wait() => {}
            () = way_out => {}
        }
    }

    /// That a process which carries the network has ended; `None` while all of them are there.
    pub fn failure(&self) -> Option<Failure> {
        if let Some(exit) = self.keeper.try_wait() {
            let message = format!("what serves the machine's network ended: it {}", exit.status);
            let hint = "was it killed by hand, or by the kernel for want of memory (`dmesg`)?";
            return Some(Failure::new(Cause::NetworkLost, message).hint(hint));
        }
        self.way_out.as_ref().and_then(WayOut::failure)
    }

    /// Ends everything of it. The namespace goes with the last process in it.
    pub async fn end(self, deadline: &Deadline) -> Result<(), Failure> {
        drop(std::fs::remove_file(&self.socket));
        let closed = match self.way_out {
            Some(way_out) => way_out.end(deadline).await,
            None => Ok(()),
        };
        self.keeper.kill_all(deadline).await.map_err(|error| error.failure())?;
        closed
    }
}

/// Leads connections of the guest to this host.
async fn lead_home(listener: tokio::net::TcpListener, port: u16) {
    let mut connections = JoinSet::new();
    while let Ok((mut guest, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Ok(mut own) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                drop(copy_bidirectional(&mut guest, &mut own).await);
            }
        });
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

async fn ask(socket: &Path, asked: Asked, port: u16) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_u8(asked as u8).await?;
    stream.write_u16(port).await?;
    Ok(stream)
}

/// Connects to a TCP port that a program in the namespace listens on, on its loopback address.
///
/// # Errors
/// Nobody listens there, or the namespace is gone.
pub async fn connect(socket: &Path, port: u16) -> io::Result<UnixStream> {
    let mut stream = ask(socket, Asked::Connect, port).await?;
    if stream.read_u8().await? != 1 {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

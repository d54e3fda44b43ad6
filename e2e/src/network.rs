//! Machines of a lab on one host: network namespaces that a test makes, joined by a switch, and gone with it.

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use fs_err as fs;

use crate::{Missing, Running, Sandbox, enter::entered, program};

/// The names of the programs that make namespaces: util-linux and iproute2.
const TOOLS: [&str; 3] = ["unshare", "nsenter", "ip"];

/// How long a namespace may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// A network of its own: the first machine holds the switch, every other one hangs on it by one cable.
/// Nothing of it is seen outside; all of it ends with the processes that hold the namespaces.
#[derive(Debug)]
pub struct Network {
    rooms: Vec<Room>,
    ip: PathBuf,
    nsenter: PathBuf,
}

#[derive(Debug)]
struct Room {
    holder: Running,
}

impl Network {
    /// A network of `machines` machines, the switch's included.
    ///
    /// # Errors
    /// The tools are missing, or this user may make no namespace.
    ///
    /// # Panics
    /// When it may, and the network cannot be made.
    pub fn new(sandbox: &Sandbox, machines: u8) -> Result<Self, Missing> {
        let [unshare, nsenter, ip] = TOOLS.map(program);
        let (unshare, nsenter, ip) = (unshare?, nsenter?, ip?);
        let may = Command::new(&unshare).args(["--net", "true"]).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            return Err(Missing::rare("right to make network namespaces"));
        }
        let hold = |_| {
            let words = ["--net", "sleep", "infinity"];
            Room { holder: sandbox.start(&mut sandbox.foreign(&unshare, words)) }
        };
        let network = Self { rooms: (0..machines).map(hold).collect(), ip, nsenter };
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        for machine in 0..machines {
            let namespace = format!("/proc/{}/ns/net", network.rooms[usize::from(machine)].holder.id());
            let end = Instant::now() + PATIENCE;
            while fs::read_link(&namespace).is_ok_and(|theirs| theirs == own) {
                assert!(Instant::now() < end, "no namespace within {PATIENCE:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
            network.ip(machine, ["link", "set", "lo", "up"]);
        }
        network.ip(0, ["link", "add", "switch", "type", "bridge"]);
        network.ip(0, ["addr", "add", &format!("{}/24", Self::address(0)), "dev", "switch"]);
        network.ip(0, ["link", "set", "switch", "up"]);
        for machine in 1..machines {
            let (port, there) = (Self::port(machine), network.rooms[usize::from(machine)].holder.id());
            let there = there.to_string();
            network.ip(0, ["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &there]);
            network.ip(0, ["link", "set", &port, "master", "switch", "up"]);
            let address = format!("{}/24", Self::address(machine));
            network.ip(machine, ["addr", "add", &address, "dev", "eth0"]);
            network.ip(machine, ["link", "set", "eth0", "up"]);
        }
        Ok(network)
    }

    /// A machine's address. 192.0.2.0/24 is for examples and routed nowhere (RFC 5737).
    pub fn address(machine: u8) -> String {
        format!("192.0.2.{}", machine + 1)
    }

    fn port(machine: u8) -> String {
        format!("port{machine}")
    }

    /// Cuts a machine's cable, or mends it.
    pub fn link(&self, machine: u8, is_up: bool) {
        self.ip(0, ["link", "set", &Self::port(machine), if is_up { "up" } else { "down" }]);
    }

    /// `command`, on that machine.
    pub fn on(&self, machine: u8, command: &Command) -> Command {
        entered(&self.nsenter, "--net", &self.rooms[usize::from(machine)].holder, command)
    }

    fn ip<const N: usize>(&self, machine: u8, words: [&str; N]) {
        let mut command = Command::new(&self.ip);
        command.args(words.map(OsStr::new));
        let output = self.on(machine, &command).output().unwrap();
        assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

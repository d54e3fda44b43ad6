//! What would be started: a plain value, made by a platform without touching the world.
//!
//! A launch prints, compares and serialises; tests hold it against snapshots without starting anything. The
//! supervisor alone turns it into a machine.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use pumice_types::Cause;
use serde::Serialize;

use crate::Enclosure;

/// A program to start, and everything the supervisor must know to run it as a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Launch {
    /// The platform that made it.
    pub platform: &'static str,
    /// The program: a path, or a name to be found on `PATH`.
    pub program: String,
    /// Its arguments, one item each. Never a shell line.
    pub args: Vec<String>,
    /// Variables set on top of a small, fixed environment.
    pub env: BTreeMap<String, String>,
    /// Variables that the operator keeps to himself, for the process alone: never shown, never serialised.
    #[serde(skip)]
    pub secret_env: SecretVariables,
    /// Variables that must not be there.
    pub env_remove: Vec<String>,
    /// The directory it runs in.
    pub work_dir: PathBuf,
    /// Files to write before it starts.
    pub files: Vec<LaunchFile>,
    /// Links to make before it starts.
    pub links: Vec<LaunchLink>,
    /// What its standard streams are.
    pub stdio: Stdio,
    /// Its consoles.
    pub consoles: Vec<ConsoleSource>,
    /// Finds consoles that announce themselves on the simulator's output; every one found is drained.
    pub announcement: Option<Announcement>,
    /// How it is asked to stop, in this order; the kill of the whole group follows by itself.
    pub stop: Vec<StopRung>,
    /// The container it runs in; then the program is the client of an engine.
    pub container: Option<Enclosure>,
    /// A line of the main console that says that the guest switched the machine off, searched in each: for a
    /// simulator that stays all the same.
    pub power_off: Option<String>,
    /// What it can do once it runs.
    pub abilities: Abilities,
    /// Its control channel.
    pub monitor: Option<MonitorSource>,
    /// Lines of the simulator's output that mean something.
    pub rules: Vec<OutputRule>,
    /// Numbers in the simulator's output that are results.
    pub measures: Vec<Measure>,
    /// The licence seat it needs, as the operator's configuration names it.
    pub licence: Option<String>,
    /// Devices of this host that it uses.
    pub devices: Vec<PathBuf>,
    /// What has to be made on the host before it starts, and taken away after.
    pub network: Option<HostNetwork>,
    /// Ports of this host that must be free before it starts and answer once it runs: this simulator says
    /// nothing when a forward fails.
    pub forwards: Vec<PortForward>,
    /// Forwards that the job asks for in the simulator's own words: their ports must be free before it starts,
    /// and nothing is known of when they answer.
    pub claims: Vec<PortForward>,
    /// Ports of this host's loopback address that the guest needs from its start, for networks that are made on this
    /// host.
    pub offers: Vec<u16>,
    /// Files that it writes and that are kept as results: name, path.
    pub outputs: Vec<(String, PathBuf)>,
    /// Facts recorded with the result of the step that starts it.
    pub extra: BTreeMap<String, String>,
    /// What a person should know of it: a request that was answered otherwise than asked.
    pub notes: Vec<String>,
}

/// A file to write before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaunchFile {
    /// Where, below the work directory.
    pub path: PathBuf,
    /// What.
    pub contents: String,
}

/// A symbolic link to make before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaunchLink {
    /// Where, below the work directory.
    pub path: PathBuf,
    /// Where it leads.
    pub target: PathBuf,
}

/// Variables whose values are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretVariables(pub BTreeMap<String, String>);

/// Names only.
impl std::fmt::Debug for SecretVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What the standard streams of the simulator are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdio {
    /// Pipes: standard input, output and error.
    Pipes,
    /// One pseudo terminal for all three: for programs that buffer whole blocks unless they see a terminal.
    Pty,
}

/// One console and how it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsoleSource {
    /// Its name in logs and transcripts, unique in the launch.
    pub name: String,
    /// What it is for.
    pub role: ConsoleRole,
    /// How it is found.
    pub find: Find,
    /// The least time between two characters typed into it.
    pub pacing: Duration,
}

/// What a console is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleRole {
    /// Where a person would log in.
    Main,
    /// Where the guest helpers send their signals; nobody types into it.
    Channel,
    /// Listened to, recorded as feedback.
    Feedback,
}

/// How a console is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Find {
    /// It is the standard input and output of the program.
    Stdio,
    /// The supervisor listens on this unix socket before the program starts; the program connects. No byte
    /// can be lost.
    Listen {
        /// The socket.
        path: PathBuf,
    },
    /// The program opens two named pipes that the supervisor makes before it starts: `PATH.out`, in which it writes, and
    /// `PATH.in`, from which it reads. What is written byte by byte arrives together, where a unix socket keeps a buffer
    /// for each byte. The program has opened them when its control channel answers, so it needs one.
    Pipes {
        /// What the names of both begin with.
        path: PathBuf,
    },
    /// The program listens on this unix socket.
    Connect {
        /// The socket.
        path: PathBuf,
    },
    /// The program listens on a port that is known beforehand, on the loopback address.
    Port {
        /// The port.
        port: u16,
        /// Whether it speaks telnet.
        telnet: bool,
    },
    /// The program opens a pseudo terminal or a FIFO and names it: a regular expression with a group `PATH`.
    AnnouncedPath {
        /// The pattern, searched in each line of the simulator's output.
        pattern: String,
    },
    /// One of the consoles that announce themselves; see [`Announcement`].
    Announced {
        /// Searched in the announcing line; a group `PORT` in it, where present, is the port.
        pattern: String,
        /// Whether the start fails when it does not appear.
        required: bool,
    },
}

/// How consoles announce themselves on the simulator's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// Searched over and over in each line; groups `NAME` and `PORT`.
    pub pattern: String,
    /// Whether they speak telnet.
    pub telnet: bool,
    /// Names of those that pass bytes untouched although the others speak telnet.
    pub raw: Vec<String>,
    /// How long after the start the first must appear.
    pub within: Duration,
}

/// One rung of the stop ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopRung {
    /// What is done.
    pub how: StopHow,
    /// How long the program has to end before the next rung.
    pub grace: Duration,
}

/// A way to ask a simulator to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopHow {
    /// A command through the control channel.
    Monitor,
    /// SIGINT to the program.
    Interrupt,
    /// SIGTERM to the program.
    Terminate,
}

/// What a running machine of this launch can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// Be reset without starting the program anew.
    pub reset: bool,
    /// Be paused and go on.
    pub pause: bool,
    /// Save its state and start from it.
    pub snapshot: bool,
    /// Wait for a debugger.
    pub debug: bool,
}

/// The control channel of a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MonitorSource {
    /// The protocol's name, for the platform's own [`crate::Monitor`].
    pub protocol: &'static str,
    /// The unix socket the supervisor listens on; the program connects to it.
    pub path: PathBuf,
}

/// A line of the simulator's output that means something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputRule {
    /// Searched in each line.
    pub pattern: String,
    /// What it means.
    pub means: Meaning,
    /// What to tell a person, in addition to the line.
    pub hint: Option<String>,
}

impl OutputRule {
    /// A rule of which a line explains an end that comes anyway ([`Meaning::Explains`]), and tells a person what to do.
    pub fn explains(pattern: &str, cause: Cause, hint: &str) -> Self {
        Self { pattern: pattern.to_owned(), means: Meaning::Explains(cause), hint: Some(hint.to_owned()) }
    }
}

/// A number in a line of the simulator's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Searched in each line; the group `VALUE` is the number, a group `NAME` may name it.
    pub pattern: String,
    /// The result's name; `{NAME}` in it stands for the group.
    pub name: String,
    /// The number's units; empty for a ratio.
    pub units: String,
}

/// What a line of the simulator's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "cause")]
pub enum Meaning {
    /// The simulator cannot go on: the machine failed for this cause.
    Fails(Cause),
    /// If the simulator ends, this is why.
    Explains(Cause),
    /// The simulator stopped by itself and all is well, for example because the guest powered off.
    Ends,
}

/// A network to be made on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum HostNetwork {
    /// A tap device in a network namespace of its own, with DHCP and a way out.
    Namespace {
        /// The tap device.
        tap: String,
    },
    /// A tap device on a bridge that is there.
    Bridge {
        /// The tap device.
        tap: String,
        /// The bridge.
        bridge: String,
    },
}

/// One forwarded TCP port, on the loopback address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PortForward {
    /// On this host.
    pub host_port: u16,
    /// In the guest.
    pub guest_port: u16,
}

impl Launch {
    /// A launch of `program` in `work_dir` with nothing else said.
    pub fn new(platform: &'static str, program: impl Into<String>, work_dir: impl Into<PathBuf>) -> Self {
        Self {
            platform,
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            secret_env: SecretVariables::default(),
            env_remove: Vec::new(),
            work_dir: work_dir.into(),
            files: Vec::new(),
            links: Vec::new(),
            stdio: Stdio::Pipes,
            consoles: Vec::new(),
            announcement: None,
            stop: Vec::new(),
            container: None,
            power_off: None,
            abilities: Abilities::default(),
            monitor: None,
            rules: Vec::new(),
            measures: Vec::new(),
            licence: None,
            devices: Vec::new(),
            network: None,
            forwards: Vec::new(),
            claims: Vec::new(),
            offers: Vec::new(),
            outputs: Vec::new(),
            extra: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// The console with this role that comes first.
    pub fn console(&self, role: ConsoleRole) -> Option<&ConsoleSource> {
        self.consoles.iter().find(|console| console.role == role)
    }

    /// Whether it takes a licence, as far as anybody said: a server that lets it wait is seen as silence only. FlexNet's
    /// variables end so (fastmodels 5.1).
    pub fn takes_licence(&self) -> bool {
        let mut variables = self.env.keys().chain(self.secret_env.0.keys());
        self.licence.is_some() || variables.any(|name| name.ends_with("_LICENSE_FILE"))
    }

    /// What ended when the program did, for messages.
    pub fn subject(&self) -> &'static str {
        if self.container.is_some() { "the container" } else { "the simulator" }
    }

    /// The command line as a person would type it, quoted for a POSIX shell. For display only.
    pub fn command_line(&self) -> String {
        std::iter::once(&self.program)
            .chain(&self.args)
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_can_be_pasted_into_a_shell() {
        let mut launch = Launch::new("test", "/bin/sim", "/tmp");
        launch.args = ["-append", "console=tty it's", "", "a=b,c"].map(str::to_owned).into();
        assert_eq!(launch.command_line(), r"/bin/sim -append 'console=tty it'\''s' '' a=b,c");
    }
}

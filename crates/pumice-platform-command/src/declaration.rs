//! The declaration of a simulator, as its device type gives it.

use std::{collections::BTreeMap, time::Duration};

use pumice_plan::MachineSpec;
use pumice_platform::{ConsoleRole, OutputRule, Stdio, StopRung};
use pumice_types::{Code, Diagnostic, Diagnostics};

use crate::reader::Reader;

/// The device has no declaration.
pub(crate) const NO_DECLARATION: Code = Code("device-without-command");

/// A simulator, as its device type declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// The program: a path or a name on `PATH`.
    pub(crate) program: String,
    /// Its arguments, each one word; `{LABEL}`, `{WORK_DIR}` and `{OVERLAY}` are replaced.
    pub(crate) arguments: Vec<String>,
    /// Arguments added when the overlay comes on a disk.
    pub(crate) overlay_disk: Vec<String>,
    /// The label of the initramfs an overlay can be appended to.
    pub(crate) overlay_initramfs: Option<String>,
    /// Its environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether it wants a terminal.
    pub(crate) wants_pty: bool,
    /// Its consoles.
    pub(crate) consoles: Vec<ConsoleDeclaration>,
    /// How consoles announce themselves.
    pub(crate) announcement: Option<AnnouncementDeclaration>,
    /// How it is stopped.
    pub(crate) stop: Vec<StopRung>,
    /// What its output means.
    pub(crate) rules: Vec<OutputRule>,
    /// How its version is asked: arguments, pattern with one group.
    pub(crate) version: Option<(Vec<String>, String)>,
    /// How many times slower than usual it is; at least 1.
    pub(crate) time_factor: u32,
    /// Pause between two typed characters, in ms.
    pub(crate) pacing_ms: u64,
    /// What brings the program, for a person.
    pub(crate) install_hint: Option<String>,
}

/// One console, as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsoleDeclaration {
    pub(crate) name: String,
    pub(crate) role: ConsoleRole,
    pub(crate) by: ConsoleBy,
    /// The device in the guest, for a channel.
    pub(crate) device: Option<String>,
}

/// How a console is found, as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConsoleBy {
    /// It is the program's standard streams.
    Stdio,
    /// A socket below the work directory that we listen on.
    Listen(String),
    /// A socket below the work directory that the program listens on.
    Connect(String),
    /// A console that announces itself in a line that matches.
    Announced(String),
    /// A pseudo terminal or FIFO whose path (group `PATH`) the program announces.
    AnnouncedPath(String),
}

/// How consoles announce themselves, as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnnouncementDeclaration {
    pub(crate) pattern: String,
    pub(crate) telnet: bool,
    pub(crate) within: Duration,
}

impl Declaration {
    /// Reads it, with every mistake.
    pub(crate) fn read(spec: &MachineSpec) -> (Self, Diagnostics) {
        if let Some(node) = spec.device.get("parameters") {
            return Reader::read(node);
        }
        let message = format!("the device does not say what to start for method `{}`", spec.method.value);
        let missing = Diagnostic::error(NO_DECLARATION, spec.method.span, message)
            .help("give the device `actions.boot.methods.command.parameters` with a `program`");
        (Self::default(), [missing].into_iter().collect())
    }

    /// What the standard streams are.
    pub(crate) fn stdio(&self) -> Stdio {
        if self.wants_pty { Stdio::Pty } else { Stdio::Pipes }
    }
}

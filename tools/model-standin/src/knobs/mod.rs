//! The knobs: faults and settings, switched on from the environment so that the command line stays exactly the one
//! of a real model.
//!
//! `MODEL_STANDIN` holds `key=value` pairs separated by commas, or `@FILE`: a file with one pair a line and `#`
//! comments. A key that is not known is an error, loud and early: a fault that silently did not happen would make
//! a test pass for nothing.

mod table;
mod value;

pub(crate) use table::KNOBS;
pub(crate) use value::{Spread, size};

use crate::licence::LicenceKnob;
use std::path::PathBuf;
use std::time::Duration;

/// The one environment variable.
pub(crate) const VARIABLE: &str = "MODEL_STANDIN";

/// How a model words the line that announces a terminal (reference, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Announcement {
    /// `terminal_0: Listening for serial connection on port 5000`
    Plain,
    /// `Info: MODEL: terminal_0: Listening …`
    Info,
    /// The same between blank lines.
    InfoBlank,
    /// `INFO: MODEL: terminal_0: Listening …`
    Upper,
}

/// What becomes of guest output while no client is connected: no public source settles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unconnected {
    /// Kept in the bounded buffer; the guest stalls when that is full.
    Keep,
    /// Thrown away.
    Lose,
    /// The guest stalls at its first byte.
    Block,
}

/// What a terminal in telnet mode sends first. The bytes of the real one are not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// WILL ECHO, WILL SUPPRESS-GO-AHEAD.
    Standard,
    /// The twelve bytes QEMU's own telnet sends.
    Qemu,
    /// Nothing.
    None,
    /// Many requests, with a subnegotiation between them.
    Chatty,
}

/// How `crash_after` ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// SIGSEGV.
    Segfault,
    /// SIGABRT.
    Abort,
    /// `Error: (E549) uncaught exception` and exit code 1.
    Exception,
}

/// What runs inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// A real kernel in QEMU.
    Qemu,
    /// A script that plays the guest's serial lines ([`crate::machine::script`]).
    Script(PathBuf),
    /// Nothing: a guest that never says a word.
    Nothing,
}

/// How the `armlm` fake answers `activate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Succeeds when the server named can be connected to (a product code alone always succeeds).
    Normal,
    /// The licence server cannot be reached.
    Unreachable,
    /// The server's activation limit is used up.
    Limit,
}

/// How often a stop signal is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignore {
    /// This many times.
    Times(u32),
    /// Always.
    Always,
}

/// One UART that writes a flood of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flood {
    /// Index of the terminal.
    pub(crate) terminal: usize,
    /// How much it writes.
    pub(crate) bytes: u64,
}

/// All settings, with the defaults of a well-behaved model.
#[derive(Clone, Debug)]
pub(crate) struct Knobs {
    // What runs inside.
    pub(crate) inside: Inside,
    pub(crate) qemu_dir: Option<PathBuf>,
    pub(crate) qemu_args: Vec<String>,
    pub(crate) dtb: Option<PathBuf>,
    pub(crate) dt_model: Option<String>,
    pub(crate) kernel: Option<PathBuf>,
    pub(crate) initrd: Option<PathBuf>,
    pub(crate) append: Option<String>,
    pub(crate) ram_mib: Option<u64>,
    pub(crate) max_cores: Option<usize>,
    pub(crate) mips: f64,
    pub(crate) clock_mhz: f64,
    pub(crate) log: Option<PathBuf>,
    // What is printed.
    pub(crate) model: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) built: Option<String>,
    pub(crate) announce: Option<Announcement>,
    pub(crate) banner: Option<bool>,
    pub(crate) shuffle: Option<u64>,
    pub(crate) glue: bool,
    pub(crate) duplicate: bool,
    pub(crate) silent: Vec<usize>,
    pub(crate) startup_delay: Spread,
    pub(crate) line_buffered: bool,
    pub(crate) cp1252: bool,
    pub(crate) extra_params: Option<PathBuf>,
    // Terminals.
    pub(crate) uart_buffer: usize,
    pub(crate) unconnected: Unconnected,
    pub(crate) negotiation: Negotiation,
    pub(crate) refuse_second_client: bool,
    pub(crate) reopen_shift: bool,
    pub(crate) overrun: bool,
    pub(crate) double_cr: bool,
    pub(crate) drop_client: Option<Flood>,
    pub(crate) steal: Vec<usize>,
    pub(crate) steal_for: Option<Duration>,
    // Misbehaviour.
    pub(crate) slow: f64,
    pub(crate) hang_after: Option<Duration>,
    pub(crate) crash_after: Option<Duration>,
    pub(crate) crash: Crash,
    pub(crate) exit_early: Option<u8>,
    pub(crate) missing_library: Option<String>,
    pub(crate) refuse_root: bool,
    pub(crate) ignore_int: Ignore,
    pub(crate) ignore_term: Ignore,
    pub(crate) stop_delay: Duration,
    pub(crate) hang_at_exit: bool,
    pub(crate) die_with_parent: bool,
    pub(crate) flood: Option<Flood>,
    pub(crate) stdout_flood: u64,
    pub(crate) orphan: Option<Duration>,
    pub(crate) orphan_own_session: bool,
    pub(crate) stats_delay: Duration,
    pub(crate) exit_code: Option<u8>,
    pub(crate) trace_rate: u64,
    // Licences.
    pub(crate) licence: LicenceKnob,
    pub(crate) licence_first: bool,
    pub(crate) licence_user: Option<String>,
    pub(crate) activation: Activation,
    pub(crate) activation_failures: Option<PathBuf>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            inside: Inside::Qemu,
            qemu_dir: None,
            qemu_args: Vec::new(),
            dtb: None,
            dt_model: None,
            kernel: None,
            initrd: None,
            append: None,
            ram_mib: None,
            max_cores: None,
            mips: 100.0,
            clock_mhz: 100.0,
            log: None,
            model: None,
            version: None,
            built: None,
            announce: None,
            banner: None,
            shuffle: None,
            glue: false,
            duplicate: false,
            silent: Vec::new(),
            startup_delay: Spread::default(),
            line_buffered: false,
            cp1252: false,
            extra_params: None,
            uart_buffer: 64 * 1024,
            unconnected: Unconnected::Keep,
            negotiation: Negotiation::Standard,
            refuse_second_client: false,
            reopen_shift: false,
            overrun: false,
            double_cr: false,
            drop_client: None,
            steal: Vec::new(),
            steal_for: None,
            slow: 1.0,
            hang_after: None,
            crash_after: None,
            crash: Crash::Segfault,
            exit_early: None,
            missing_library: None,
            refuse_root: false,
            ignore_int: Ignore::Times(0),
            ignore_term: Ignore::Times(0),
            stop_delay: Duration::ZERO,
            hang_at_exit: false,
            die_with_parent: false,
            flood: None,
            stdout_flood: 0,
            orphan: None,
            orphan_own_session: false,
            stats_delay: Duration::ZERO,
            exit_code: None,
            trace_rate: 64 * 1024,
            licence: LicenceKnob::Auto,
            licence_first: false,
            licence_user: None,
            activation: Activation::Normal,
            activation_failures: None,
        }
    }
}

/// What is wrong with the environment variable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum KnobError {
    /// The file named by `@FILE` cannot be read.
    #[error("{VARIABLE}: cannot read `{path}`: {reason}")]
    Unreadable { path: String, reason: String },
    /// A piece without `=`.
    #[error("{VARIABLE}: `{piece}` is not of the form key=value")]
    NotAPair { piece: String },
    /// No such knob.
    #[error("{VARIABLE}: there is no knob `{key}` (`model-standin knobs` lists them)")]
    Unknown { key: String },
    /// The value does not fit.
    #[error("{VARIABLE}: {key}={value}: {reason}")]
    Value { key: String, value: String, reason: String },
}

impl Knobs {
    /// Reads the variable's value, following `@FILE`.
    pub(crate) fn read(variable: &str) -> Result<Self, KnobError> {
        match variable.strip_prefix('@') {
            None => Self::parse(variable.split(',')),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| KnobError::Unreadable {
                    path: path.into(),
                    reason: error.to_string(),
                })?;
                Self::parse(text.lines().filter(|line| !line.trim_start().starts_with('#')))
            }
        }
    }

    fn parse<'a>(pieces: impl Iterator<Item = &'a str>) -> Result<Self, KnobError> {
        let mut knobs = Self::default();
        for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
            let Some((key, value)) = piece.split_once('=') else {
                return Err(KnobError::NotAPair { piece: piece.into() });
            };
            let (key, value) = (key.trim(), value.trim());
            let Some(knob) = KNOBS.iter().find(|knob| knob.name == key) else {
                return Err(KnobError::Unknown { key: key.into() });
            };
            (knob.set)(&mut knobs, value).map_err(|reason| KnobError::Value {
                key: key.into(),
                value: value.into(),
                reason,
            })?;
        }
        Ok(knobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(Knobs::read(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn pairs_are_separated_by_commas_and_spaces_do_not_matter() {
        let knobs = Knobs::read("slow=10, flood = 1:1GiB ,silent=0+2,,startup_delay=0.5..2").unwrap();
        assert!((knobs.slow - 10.0).abs() < f64::EPSILON);
        assert_eq!(knobs.flood, Some(Flood { terminal: 1, bytes: 1 << 30 }));
        assert_eq!(knobs.silent, [0, 2]);
        assert_eq!(knobs.startup_delay, Spread { least: 0.5, most: 2.0 });
    }

    #[test]
    fn an_unknown_or_malformed_knob_is_an_error() {
        refused("crash=1", "MODEL_STANDIN: crash=1: one of segfault, abort, exception is wanted");
        refused("fly=1", "MODEL_STANDIN: there is no knob `fly` (`model-standin knobs` lists them)");
        refused("glue", "MODEL_STANDIN: `glue` is not of the form key=value");
        refused("slow=0", "MODEL_STANDIN: slow=0: a number above 0 is wanted");
        refused("glue=maybe", "MODEL_STANDIN: glue=maybe: 0 or 1 is wanted");
    }

    #[test]
    fn a_file_may_hold_values_with_commas() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# faults\nappend=console=ttyAMA0,38400n8 quiet\n\nglue=1\n").unwrap();
        let knobs = Knobs::read(&format!("@{}", file.path().display())).unwrap();
        assert_eq!(knobs.append.as_deref(), Some("console=ttyAMA0,38400n8 quiet"));
        assert!(knobs.glue);
    }

    #[test]
    fn every_knob_is_in_the_users_manual() {
        let manual = include_str!("../../../../docs/user/stand-in.md");
        let missing: Vec<_> = KNOBS
            .iter()
            .map(|knob| knob.name)
            .filter(|name| !manual.contains(&format!("`{name}`")))
            .collect();
        assert_eq!(missing, [""; 0], "knobs that docs/user/stand-in.md does not name");
    }
}

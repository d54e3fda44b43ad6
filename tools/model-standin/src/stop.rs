//! How a simulation ends: why, what is printed, which exit code (reference, sections 2.5 and 4.5).

use crate::event::Limit;
use std::path::Path;

/// The line every orderly end has.
const STOPPED: &str = "Info: /OSCI/SystemC: Simulation stopped by user.\n";

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A signal.
    User,
    /// A limit of the command line.
    Limit(Limit),
    /// The guest switched itself off, with `exit_on_shutdown` set.
    PowerOff,
    /// `shutdown_on_eot` or `shutdown_tag`.
    Uart,
    /// A semihosting exit, with its code.
    Semihosting(i32),
}

impl Reason {
    /// What is printed when the stop begins.
    pub(crate) fn text(self) -> String {
        match self {
            Self::User => format!("\nStopping simulation...\n\n\n{STOPPED}"),
            Self::Limit(limit) => {
                format!(
                    "\nInfo: Simulation is stopping. Reason: {} has been exceeded.\n\n\n{STOPPED}",
                    name(limit)
                )
            }
            Self::PowerOff | Self::Uart | Self::Semihosting(_) => format!("\n{STOPPED}"),
        }
    }

    /// The exit code: it says nothing about the guest, except where a file named `:semihosting-features` lies in
    /// the guest's directory, which makes programs believe in `SYS_EXIT_EXTENDED` (reference 2.4).
    pub(crate) fn exit_code(self, directory: &Path) -> u8 {
        match self {
            Self::Semihosting(code) if directory.join(":semihosting-features").exists() => {
                u8::try_from(code & 0xff).unwrap_or(1)
            }
            _ => 0,
        }
    }
}

/// The limit as the public lines name it; the one for wall-clock time is not public.
fn name(limit: Limit) -> &'static str {
    match limit {
        Limit::Cycles => "Cycle limit",
        Limit::Simulated => "Simulated time",
        Limit::Cpu => "CPU time",
        Limit::Wall => "Time limit",
    }
}

/// What `--version` prints after the banner: it is a simulation too, that stops at once.
pub(crate) fn after_version() -> String {
    format!("{STOPPED}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_texts_are_the_public_ones() {
        assert_eq!(
            Reason::User.text(),
            "\nStopping simulation...\n\n\nInfo: /OSCI/SystemC: Simulation stopped by user.\n"
        );
        let limit = |limit| Reason::Limit(limit).text();
        assert!(
            limit(Limit::Cycles)
                .contains("Info: Simulation is stopping. Reason: Cycle limit has been exceeded.\n")
        );
        assert!(limit(Limit::Simulated).contains("Reason: Simulated time has been exceeded.\n"));
        assert!(limit(Limit::Cpu).contains("Reason: CPU time has been exceeded.\n"));
    }

    #[test]
    fn a_guests_code_comes_out_only_with_the_features_file() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Reason::Semihosting(77).exit_code(directory.path()), 0);
        std::fs::write(directory.path().join(":semihosting-features"), b"SHFB\x01").unwrap();
        assert_eq!(Reason::Semihosting(77).exit_code(directory.path()), 77);
        assert_eq!(Reason::User.exit_code(directory.path()), 0);
    }
}

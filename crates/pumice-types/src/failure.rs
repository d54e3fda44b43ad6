//! Whose failure it was, and which one: the closed list of causes.
//!
//! A fault decides policy (is it retried, is the device to be looked at, what does the exit code say); a
//! cause says which of the known things happened. The names of the faults in LAVA's results are those of
//! lava-compat 3.5.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Whose failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// What the job asked for does not work: a wrong image, a prompt that never comes, a panic.
    Job,
    /// The tests themselves could not be finished.
    Test,
    /// The lab, the host, the network, the simulator.
    Infrastructure,
    /// The device or the lab is set up wrongly.
    Configuration,
    /// Another node of a MultiNode job did not answer in time.
    MultinodeTimeout,
    /// Somebody asked for the end.
    Cancelled,
    /// We are to blame.
    Bug,
}

impl Fault {
    /// LAVA's `error_type` (lava-compat 3.5).
    pub fn lava_name(self) -> &'static str {
        match self {
            Self::Job => "Job",
            Self::Test => "Test",
            Self::Infrastructure => "Infrastructure",
            Self::Configuration => "Configuration",
            Self::MultinodeTimeout => "MultinodeTimeout",
            Self::Cancelled => "Canceled",
            Self::Bug => "Bug",
        }
    }

    /// Whether a block with `failure_retry` tries again after it (lava-compat 1.3).
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Job | Self::Test | Self::Infrastructure)
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident => $code:literal, $fault:ident;)*) => {
        /// What happened. The list is closed: a new cause is a change of this type and of its page in the
        /// user documentation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Cause { $($(#[$doc])* #[serde(rename = $code)] $name,)* }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in results, for example `guest-panic`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Whose failure it is when nothing more is known.
            pub fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)* }
            }
        }
    };
}

causes! {
    /// The definition was refused.
    InvalidDefinition => "invalid-definition", Job;
    /// The server answered that there is no such file, or that we may not have it.
    DownloadRefused => "download-refused", Job;
    /// The server could not be reached, broke off, or sent less than it promised.
    DownloadFailed => "download-failed", Infrastructure;
    /// The bytes are not those the job names.
    ChecksumMismatch => "checksum-mismatch", Job;
    /// The file is not what it is used as: not an archive, no such partition, no room for the overlay.
    ImageUnusable => "image-unusable", Job;
    /// No room left on the host.
    DiskFull => "disk-full", Infrastructure;
    /// The program that simulates is not on this host.
    SimulatorMissing => "simulator-missing", Infrastructure;
    /// The simulator refused its own configuration.
    SimulatorRefused => "simulator-refused", Configuration;
    /// The simulator ended while it was needed.
    SimulatorExited => "simulator-exited", Infrastructure;
    /// The simulator is there and does nothing.
    SimulatorHung => "simulator-hung", Infrastructure;
    /// The simulator stopped at a limit it was given.
    SimulatorLimit => "simulator-limit", Job;
    /// A console never appeared or was closed.
    ConsoleLost => "console-lost", Infrastructure;
    /// No seat, or the licence server cannot be reached.
    LicenceUnavailable => "licence-unavailable", Infrastructure;
    /// The licence is not for us; trying again changes nothing.
    LicenceRefused => "licence-refused", Infrastructure;
    /// The network the job asked for could not be made.
    NetworkSetup => "network-setup", Infrastructure;
    /// What carries the machine's network ended while the machine was used.
    NetworkLost => "network-lost", Infrastructure;
    /// The container engine is missing or failed.
    ContainerFailed => "container-failed", Infrastructure;
    /// The guest's kernel panicked.
    GuestPanic => "guest-panic", Job;
    /// The guest started over while it was used.
    GuestReset => "guest-reset", Job;
    /// The boot loader said that it failed.
    BootloaderError => "bootloader-error", Infrastructure;
    /// No expected prompt appeared in time.
    NoPrompt => "no-prompt", Job;
    /// The login was refused.
    LoginRefused => "login-refused", Job;
    /// A step the job wrote ran out of time.
    StepTimeout => "step-timeout", Job;
    /// The job's whole time is over.
    JobTimeout => "job-timeout", Job;
    /// The tests ran out of time.
    TestTimeout => "test-timeout", Test;
    /// Nothing was heard from the guest for longer than the job allows.
    Inactivity => "inactivity", Test;
    /// A test asked to end the job.
    TestRaised => "test-raised", Test;
    /// An install step failed.
    InstallFailed => "install-failed", Test;
    /// An install step failed because the network did.
    InstallNetwork => "install-network", Infrastructure;
    /// A command on the guest failed.
    CommandFailed => "command-failed", Job;
    /// A result was sent and did not arrive whole.
    SignalLost => "signal-lost", Infrastructure;
    /// What the guest sent is not in the grammar.
    SignalInvalid => "signal-invalid", Test;
    /// Another node of the job failed.
    PeerFailed => "peer-failed", Infrastructure;
    /// Another node did not answer in time.
    PeerTimeout => "peer-timeout", MultinodeTimeout;
    /// The worker lost its server for longer than its lease.
    LeaseLost => "lease-lost", Infrastructure;
    /// Somebody asked for the end.
    Cancelled => "cancelled", Cancelled;
    /// The host refused something we need.
    HostRefused => "host-refused", Infrastructure;
    /// The device is set up wrongly.
    DeviceInvalid => "device-invalid", Configuration;
    /// We are to blame.
    Bug => "bug", Bug;
}

/// The line that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it was said: a console's name, `simulator` or a file.
    pub from: String,
    /// What was said, one or more lines.
    pub text: String,
}

/// An end that was not wanted, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// Whose failure it was.
    pub fault: Fault,
    /// What happened and where, in one sentence.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The lines that show it.
    pub evidence: Option<Evidence>,
}

impl Failure {
    /// A failure with the usual fault of its cause.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, fault: cause.fault(), message: message.into(), hint: None, evidence: None }
    }

    /// A step's own time is over.
    pub fn timed_out(cause: Cause, owner: &str, limit: Duration, waited_for: &str) -> Self {
        Self::new(
            cause,
            format!("{owner} timed out after {} seconds, waiting for {waited_for}", limit.as_secs()),
        )
    }

    /// Somebody else's failure than the cause would say.
    #[must_use]
    pub fn blame(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// With advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the lines that show it; nothing when `text` is empty.
    #[must_use]
    pub fn evidence(mut self, from: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.trim().is_empty() {
            self.evidence = Some(Evidence { from: from.into(), text });
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A typed error that knows its cause, so that the runner can turn it into a [`Failure`].
pub trait Blame: std::error::Error {
    /// What happened.
    fn root_cause(&self) -> Cause;

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The lines that show it.
    fn evidence(&self) -> Option<Evidence> {
        None
    }

    /// The failure, its message being this error and its sources joined by `: `.
    fn failure(&self) -> Failure {
        let mut message = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Many errors of libraries tell their source's words as their own.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = error.source();
        }
        Failure { hint: self.hint(), evidence: self.evidence(), ..Failure::new(self.root_cause(), message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_kebab_case() {
        let mut codes: Vec<_> = Cause::ALL.iter().map(|cause| cause.code()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}

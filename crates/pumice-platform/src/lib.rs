//! The seam between jobs and simulators: `Platform`, `Launch`, `Machine` and the supervisor.
//!
//! A platform is almost only a pure function from what is wanted ([`pumice_plan::MachineSpec`]) to what
//! would be started ([`Launch`]). One supervisor turns any launch into a [`Machine`], born running. A new
//! simulator is one small crate, or one file of data; a new way of running is one new executor of `Launch`;
//! neither knows the other.

pub mod container;
mod control;
mod launch;
mod machine;
mod monitor;
mod network;
mod output;
mod platform;
mod probe;
mod redial;
mod start;
mod words;

pub use container::Enclosure;
pub use launch::{
    Abilities, Announcement, ConsoleRole, ConsoleSource, Find, HostNetwork, Launch, LaunchFile, LaunchLink,
    Meaning, Measure, MonitorSource, OutputRule, PortForward, SecretVariables, Stdio, StopHow, StopRung,
};
pub use machine::{Buttons, Ended, Machine, StartError, StartOptions, Stopped};
pub use monitor::{MachineState, Monitor, MonitorError, MonitorEvent};
pub use network::host_on_made_network;
pub use output::Measured;
pub use platform::{
    Availability, Bound, BoxFuture, Executable, Facts, Host, InstallStage, Installation, NfsRoot, Platform,
    Processor, UsualProgram,
};
pub use probe::probe_output;
pub use pumice_network::{NetworkPolicy, bridge::address as bridge_address};
pub use start::{COMMANDS, SIMULATOR};
pub use words::substitute;

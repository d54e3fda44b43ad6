//! The control channel of a machine: pause, reset, power off, snapshots.

use std::io;

use tokio::net::UnixStream;

use crate::BoxFuture;

/// What a machine says of itself through its control channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// The guest runs.
    Running,
    /// The guest is held.
    Paused,
    /// The guest powered itself off; the program may still be there.
    PoweredOff,
    /// The guest stopped because of a fault that the simulator saw.
    Crashed,
}

/// Something that happened, as told by the control channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorEvent {
    /// The guest powered off.
    PoweredOff,
    /// The guest was reset.
    Reset,
    /// The guest's kernel told the simulator that it panicked.
    Panicked,
    /// The channel is closed.
    Closed,
}

/// Why the control channel could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The channel broke.
    #[error("the control channel of the simulator broke")]
    Channel(#[from] io::Error),
    /// The simulator refused.
    #[error("the simulator refused `{command}`: {reason}")]
    Refused {
        /// What was asked.
        command: String,
        /// What it said.
        reason: String,
    },
    /// This platform cannot do that.
    #[error("this platform cannot {0}")]
    Unable(&'static str),
}

/// A control channel. Every call is bounded by the caller's deadline; dropping the future gives up the call
/// but keeps the channel usable.
pub trait Monitor: Send {
    /// Takes the connection over and negotiates. Called once.
    fn attach(&mut self, stream: UnixStream) -> BoxFuture<'_, Result<(), MonitorError>>;

    /// The next event. Cancel-safe; never resolves again after [`MonitorEvent::Closed`].
    fn event(&mut self) -> BoxFuture<'_, MonitorEvent>;

    /// What state the machine is in.
    fn state(&mut self) -> BoxFuture<'_, Result<MachineState, MonitorError>>;

    /// Asks the program to end at once, gracefully for its files.
    fn quit(&mut self) -> BoxFuture<'_, Result<(), MonitorError>>;

    /// Presses the power button: a guest that listens shuts down.
    fn power_button(&mut self) -> BoxFuture<'_, Result<(), MonitorError>>;

    /// Resets the guest.
    fn reset(&mut self) -> BoxFuture<'_, Result<(), MonitorError>>;

    /// Holds the guest.
    fn pause(&mut self) -> BoxFuture<'_, Result<(), MonitorError>>;

    /// Lets it go on.
    fn resume(&mut self) -> BoxFuture<'_, Result<(), MonitorError>>;
}

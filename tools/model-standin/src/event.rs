//! What happens to a simulation, from wherever it comes, in one queue that the main thread reads.

use crate::process::StopSignal;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A limit of the command line (reference, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Cycles,
    Simulated,
    Cpu,
    Wall,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGINT or SIGTERM.
    Signal(StopSignal),
    /// Firmware that is only played has said all it has to say.
    FirmwareDone,
    /// The guest switched itself off.
    PowerOff,
    /// The guest reset itself.
    Reset,
    /// A semihosting `SYS_EXIT`, with the code of `SYS_EXIT_EXTENDED`.
    SemihostingExit(i32),
    /// The program inside ended in a way no guest ends.
    GuestLost(String),
    /// `shutdown_on_eot` or `shutdown_tag`.
    UartStop,
    /// A limit was reached.
    Limit(Limit),
    /// A debugger let the simulation run.
    Released,
    /// The knob `crash_after`.
    Crash,
    /// The knob `hang_after`.
    Hang,
}

/// The sending end. Sending never fails: when the main thread has stopped listening, nothing matters any more.
#[derive(Clone, Debug)]
pub(crate) struct Events(Sender<Event>);

impl Events {
    /// A new queue.
    pub(crate) fn new() -> (Self, Receiver<Event>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }

    /// Adds an event.
    pub(crate) fn send(&self, event: Event) {
        drop(self.0.send(event));
    }
}

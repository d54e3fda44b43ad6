//! What the agent wants of a job's thread.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::signal::Bell;

/// Something wanted; it stays so.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn is_up(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The agent's wishes, and the bell that tells of a new one.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) bell: Bell,
    /// End the job gently, and report it.
    pub(crate) cancel: Flag,
    /// Kill the job, and report it.
    pub(crate) kill: Flag,
    /// Kill it and say nothing: it is not ours any more.
    pub(crate) forget: Flag,
    /// Leave everything as it is.
    pub(crate) detach: Flag,
}

impl Control {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            bell: Bell::new()?,
            cancel: Flag::default(),
            kill: Flag::default(),
            forget: Flag::default(),
            detach: Flag::default(),
        })
    }

    /// Raises a flag and rings.
    pub(crate) fn raise(&self, flag: impl Fn(&Self) -> &Flag) {
        flag(self).0.store(true, Ordering::SeqCst);
        self.bell.ring();
    }
}

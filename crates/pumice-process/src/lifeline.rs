//! Knowing of a process's end in a task of its own.

use std::{io, os::fd::OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{Interest, unix::AsyncFd};

use crate::readiness;

/// A process's `pidfd` (`pidfd_open(2)`), readable from the process's end on.
#[derive(Debug)]
pub struct Lifeline(AsyncFd<OwnedFd>);

impl Lifeline {
    pub(crate) fn new(pidfd: &AsyncFd<OwnedFd>) -> io::Result<Self> {
        readiness::register(pidfd.get_ref().try_clone()?, Interest::READABLE).map(Self)
    }

    /// Whether the process has ended, as the kernel says now.
    pub fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(self.0.get_ref(), PollFlags::IN)];
        // Interrupted: not known to have ended.
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Resolves when the process has ended. Cancel-safe.
    pub async fn ended(&self) {
        while !self.has_ended() {
            match self.0.readable().await {
                Ok(mut ready) => {
                    if !self.has_ended() {
                        ready.clear_ready();
                    }
                }
                // The runtime is shutting down, and who waits with it.
                Err(_) => return,
            }
        }
    }
}

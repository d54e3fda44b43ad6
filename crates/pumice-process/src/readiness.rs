//! Descriptors that the runtime tells us about.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a descriptor, which does not block, with the current runtime.
///
/// # Errors
/// The kernel cannot watch it (a regular file, say), or there is no runtime.
#[expect(unsafe_code, reason = "tokio leaves it to the caller that the descriptor stays the same")]
pub fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is an open descriptor, always the same one, and nobody takes it out of the result:
    // only shared references to it are handed out.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

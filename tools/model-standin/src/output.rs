//! The model's standard output, with the buffering that drivers trip over.
//!
//! A model writes through C stdio: line by line on a terminal, in blocks of 4 KiB into a pipe, and it blocks when
//! nobody reads, guest and all (reference, sections 4.4 and 9.2). So does this.

use crate::journal;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The size of C stdio's buffer for a pipe on Linux (`st_blksize`).
const BLOCK_BYTES: usize = 4096;

/// When bytes leave the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffering {
    None,
    Line,
    Block,
}

/// Standard output of the model. Shared by every thread.
#[derive(Debug)]
pub(crate) struct Output {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buffering: Buffering,
    pending: Vec<u8>,
    copy: Option<File>,
    closed: bool,
}

impl Output {
    /// Chooses the buffering as C stdio does; `line_buffered` (the knob) or `_STDBUF_O` (what `stdbuf` sets for
    /// the programs it starts) override it.
    pub(crate) fn new(line_buffered: bool, stdbuf: Option<&str>) -> Self {
        let buffering = match stdbuf {
            Some("0") => Buffering::None,
            Some("L") => Buffering::Line,
            _ if line_buffered || io::stdout().is_terminal() => Buffering::Line,
            _ => Buffering::Block,
        };
        let state = State { buffering, pending: Vec::with_capacity(BLOCK_BYTES), copy: None, closed: false };
        Self { state: Mutex::new(state) }
    }

    /// Also copies everything from now on to `file` (`--log`).
    pub(crate) fn copy_to(&self, file: File) {
        self.lock().copy = Some(file);
    }

    /// Prints text. Blocks while a pipe is full.
    pub(crate) fn print(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Prints bytes. Blocks while a pipe is full.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if let Some(copy) = &mut state.copy
            && let Err(error) = copy.write_all(bytes)
        {
            journal::note(&format!("--log: {error}"));
        }
        state.pending.extend_from_slice(bytes);
        let keep_from = match state.buffering {
            Buffering::None => state.pending.len(),
            Buffering::Line => state.pending.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1),
            Buffering::Block => state.pending.len() / BLOCK_BYTES * BLOCK_BYTES,
        };
        state.write_out(keep_from);
    }

    /// Writes out whatever is pending.
    pub(crate) fn flush(&self) {
        let mut state = self.lock();
        let all = state.pending.len();
        state.write_out(all);
    }

    /// Returns at once, unless somebody is blocked writing to standard output: then waits with them. The guest
    /// calls this before every piece of console output, which is how an unread pipe stops the guest.
    pub(crate) fn wait_until_writable(&self) {
        drop(self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write_out(&mut self, count: usize) {
        let mut rest = self.pending.get(..count).unwrap_or_default();
        while !rest.is_empty() && !self.closed {
            match rustix::io::write(rustix::stdio::stdout(), rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => wait_for_room(),
                Err(error) => {
                    journal::note(&format!("standard output: {error}"));
                    self.closed = true;
                }
            }
        }
        self.pending.drain(..count);
    }
}

/// Waits until a standard output that somebody made non-blocking takes bytes again.
fn wait_for_room() {
    let stdout = rustix::stdio::stdout();
    let mut poll = [rustix::event::PollFd::new(&stdout, rustix::event::PollFlags::OUT)];
    // An interrupted wait is only a reason to look again.
    let _ = rustix::event::poll(&mut poll, None);
}

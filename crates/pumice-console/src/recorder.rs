//! Where the bytes of a console go before anybody looks at them.

use std::time::Instant;

/// Takes down what a console says and is told, raw and as it happens, before it is matched against anything.
///
/// Nothing is returned: one who cannot write any more (a full disk) remembers that, and the run asks for it.
/// It is called on the task that drains the console, so it must not wait for long.
pub trait Recorder: Send {
    /// What came from the console.
    fn bytes(&mut self, console: &str, at: Instant, bytes: &[u8]);

    /// What was typed into it.
    fn sent(&mut self, _console: &str, _at: Instant, _bytes: &[u8]) {}

    /// Its connection broke and was made again: what it said meanwhile may be lost.
    fn reconnected(&mut self, _console: &str, _at: Instant) {}

    /// It has ended; the reason if it was not the other side's wish.
    fn closed(&mut self, _console: &str, _at: Instant, _reason: Option<&str>) {}
}

/// Takes nothing down.
#[derive(Clone, Copy, Debug)]
pub struct Unrecorded;

impl Recorder for Unrecorded {
    fn bytes(&mut self, _: &str, _: Instant, _: &[u8]) {}
}

/// Both take it down, the first first.
impl<A: Recorder, B: Recorder> Recorder for (A, B) {
    fn bytes(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.0.bytes(console, at, bytes);
        self.1.bytes(console, at, bytes);
    }

    fn sent(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.0.sent(console, at, bytes);
        self.1.sent(console, at, bytes);
    }

    fn reconnected(&mut self, console: &str, at: Instant) {
        self.0.reconnected(console, at);
        self.1.reconnected(console, at);
    }

    fn closed(&mut self, console: &str, at: Instant, reason: Option<&str>) {
        self.0.closed(console, at, reason);
        self.1.closed(console, at, reason);
    }
}

/// Shared by several consoles of one thread or more.
impl<R: Recorder> Recorder for std::sync::Arc<std::sync::Mutex<R>> {
    fn bytes(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).bytes(console, at, bytes);
    }

    fn sent(&mut self, console: &str, at: Instant, bytes: &[u8]) {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).sent(console, at, bytes);
    }

    fn reconnected(&mut self, console: &str, at: Instant) {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).reconnected(console, at);
    }

    fn closed(&mut self, console: &str, at: Instant, reason: Option<&str>) {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).closed(console, at, reason);
    }
}

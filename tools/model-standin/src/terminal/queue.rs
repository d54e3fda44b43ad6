//! The bounded buffer between a UART and the client of its terminal.
//!
//! The guest's side blocks while the buffer is full: nobody reading is how a model's guest comes to stand still
//! (reference, section 4.4).

use crate::knobs::Unconnected;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A session number; a new one for every client.
pub(super) type Session = u64;

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    client: Option<Session>,
    sessions: Session,
    /// Taken by the client's writer and not yet sent.
    sending: bool,
    /// The model is stopping: nothing blocks any more.
    open_ended: bool,
}

/// The buffer of one terminal.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    unconnected: Unconnected,
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    pub(super) fn new(capacity: usize, unconnected: Unconnected) -> Self {
        Self { capacity, unconnected, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes output of the guest; returns when all of it is in the buffer.
    pub(super) fn push(&self, mut bytes: &[u8]) {
        let mut state = self.lock();
        while !bytes.is_empty() {
            let room = match (state.client, self.unconnected) {
                _ if state.open_ended => bytes.len(),
                (None, Unconnected::Lose) => return,
                (None, Unconnected::Block) => 0,
                _ => self.capacity.saturating_sub(state.bytes.len()),
            };
            if state.open_ended && state.client.is_none() {
                return;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if now.is_empty() {
                state = self.wait(state);
                continue;
            }
            state.bytes.extend(now);
            self.changed.notify_all();
            bytes = later;
        }
    }

    /// Waits until no client is there, then makes this one the client.
    pub(super) fn enter(&self) -> Session {
        let mut state = self.lock();
        while state.client.is_some() {
            state = self.wait(state);
        }
        state.sessions += 1;
        state.client = Some(state.sessions);
        self.changed.notify_all();
        state.sessions
    }

    /// Ends a session; nothing happens when it has ended already.
    pub(super) fn leave(&self, session: Session) {
        let mut state = self.lock();
        if state.client == Some(session) {
            state.client = None;
            state.sending = false;
            self.changed.notify_all();
        }
    }

    /// Waits until the session has ended.
    pub(super) fn wait_for_leave(&self, session: Session) {
        let mut state = self.lock();
        while state.client == Some(session) {
            state = self.wait(state);
        }
    }

    /// Whether a client is connected.
    pub(super) fn has_client(&self) -> bool {
        self.lock().client.is_some()
    }

    /// Up to `most` bytes for the client of that session; `None` once the session has ended.
    pub(super) fn take(&self, session: Session, most: usize) -> Option<Vec<u8>> {
        let mut state = self.lock();
        state.sending = false;
        self.changed.notify_all();
        loop {
            if state.client != Some(session) {
                return None;
            }
            if !state.bytes.is_empty() {
                let count = state.bytes.len().min(most);
                state.sending = true;
                let (front, back) = state.bytes.as_slices();
                let mut taken = Vec::with_capacity(count);
                taken.extend_from_slice(front.get(..count).unwrap_or(front));
                taken.extend_from_slice(back.get(..count - taken.len()).unwrap_or_default());
                state.bytes.drain(..count);
                self.changed.notify_all();
                return Some(taken);
            }
            state = self.wait(state);
        }
    }

    /// From now on nothing blocks: what arrives is kept for a client that is there and dropped for one that is not.
    pub(super) fn stop_blocking(&self) {
        self.lock().open_ended = true;
        self.changed.notify_all();
    }

    /// Waits until a connected client has been sent everything, or the deadline has come.
    pub(super) fn drain(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.client.is_some() && (state.sending || !state.bytes.is_empty()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;

    #[test]
    fn a_full_buffer_blocks_the_guest_until_somebody_reads() {
        let queue = Arc::new(Queue::new(8, Unconnected::Keep));
        let (done, is_done) = mpsc::channel();
        let guest = Arc::clone(&queue);
        let thread = std::thread::spawn(move || {
            guest.push(b"0123456789ab");
            done.send(()).unwrap();
        });
        let session = queue.enter();
        let mut all = Vec::new();
        while all.len() < 12 {
            all.extend(queue.take(session, 5).unwrap());
        }
        is_done.recv().unwrap();
        thread.join().unwrap();
        assert_eq!(all, b"0123456789ab");
    }

    #[test]
    fn output_without_a_client_is_kept_or_lost_as_asked() {
        for (policy, expected) in [(Unconnected::Keep, "early late"), (Unconnected::Lose, "late")] {
            let queue = Queue::new(64, policy);
            queue.push(b"early ");
            let session = queue.enter();
            queue.push(b"late");
            assert_eq!(queue.take(session, 64).unwrap(), expected.as_bytes());
        }
    }

    #[test]
    fn a_session_that_ended_gets_nothing_and_the_next_one_does() {
        let queue = Queue::new(64, Unconnected::Keep);
        let first = queue.enter();
        queue.leave(first);
        assert_eq!(queue.take(first, 64), None);
        let second = queue.enter();
        queue.push(b"x");
        assert_eq!(queue.take(second, 64).unwrap(), b"x");
    }

    #[test]
    fn stopping_frees_a_guest_that_nobody_reads() {
        let queue = Arc::new(Queue::new(1, Unconnected::Block));
        let guest = Arc::clone(&queue);
        let thread = std::thread::spawn(move || guest.push(b"nobody reads this"));
        queue.stop_blocking();
        thread.join().unwrap();
        queue.drain(Instant::now());
    }
}

//! Asking a fetch in another thread to end.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A switch that is thrown once. Its clones are the same switch.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_cancelled: bool,
    /// What interrupts somebody who waits for the network.
    interrupts: Vec<(u64, Box<dyn FnOnce() + Send>)>,
    next: u64,
}

impl Cancel {
    /// A switch that is not thrown.
    pub fn new() -> Self {
        Self::default()
    }

    /// Throws it: who sleeps or reads from the network wakes up.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.is_cancelled = true;
        let interrupts = std::mem::take(&mut state.interrupts);
        drop(state);
        self.0.changed.notify_all();
        for (_, interrupt) in interrupts {
            interrupt();
        }
    }

    /// Whether it was thrown.
    pub fn is_cancelled(&self) -> bool {
        self.lock().is_cancelled
    }

    /// Sleeps for `duration`, or until it is thrown.
    pub(crate) fn sleep(&self, duration: Duration) {
        let state = self.lock();
        let waited = self.0.changed.wait_timeout_while(state, duration, |state| !state.is_cancelled);
        drop(waited);
    }

    /// Has `interrupt` called when it is thrown, at once if it was, until the guard is dropped.
    pub(crate) fn on_cancel(&self, interrupt: impl FnOnce() + Send + 'static) -> OnCancel<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        if state.is_cancelled {
            drop(state);
            interrupt();
        } else {
            state.interrupts.push((number, Box::new(interrupt)));
        }
        OnCancel { cancel: self, number }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an interrupt registered.
pub(crate) struct OnCancel<'a> {
    cancel: &'a Cancel,
    number: u64,
}

impl Drop for OnCancel<'_> {
    fn drop(&mut self) {
        self.cancel.lock().interrupts.retain(|(number, _)| *number != self.number);
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancel({})", self.is_cancelled())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn who_sleeps_wakes_up_and_who_comes_late_is_called_at_once() {
        let cancel = Cancel::new();
        let calls = Arc::new(AtomicU32::new(0));
        let count = |calls: &Arc<AtomicU32>| {
            let calls = Arc::clone(calls);
            move || {
                calls.fetch_add(1, Ordering::SeqCst);
            }
        };
        drop(cancel.on_cancel(count(&calls)));
        let _kept = cancel.on_cancel(count(&calls));
        let sleeper = cancel.clone();
        let thread = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(3600)));
        cancel.cancel();
        thread.join().unwrap();
        let _late = cancel.on_cancel(count(&calls));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

//! Simulated time: it passes only while the guest runs, and perhaps more slowly than the wall clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
struct State {
    passed: Duration,
    running_since: Option<Instant>,
}

/// The guest's clock, shared by who runs the guest and who reads it.
#[derive(Clone, Debug)]
pub(crate) struct GuestClock {
    state: Arc<Mutex<State>>,
    rate: f64,
}

impl GuestClock {
    /// A clock that stands still; once started, a second of the wall clock is `rate` seconds.
    pub(crate) fn new(rate: f64) -> Self {
        Self { state: Arc::new(Mutex::new(State { passed: Duration::ZERO, running_since: None })), rate }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes from now on.
    pub(crate) fn start(&self) {
        self.lock().running_since.get_or_insert_with(Instant::now);
    }

    /// Time stands still from now on.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        if let Some(since) = state.running_since.take() {
            state.passed += since.elapsed();
        }
    }

    /// Simulated time since the start.
    pub(crate) fn now(&self) -> Duration {
        let state = self.lock();
        let running = state.running_since.map_or(Duration::ZERO, |since| since.elapsed());
        (state.passed + running).mul_f64(self.rate)
    }
}

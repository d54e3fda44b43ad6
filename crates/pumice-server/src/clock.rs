//! The one place that reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pumice_db::Timestamp;
use pumice_sched::Time;

/// The server's clock: wall time for people, and for the scheduler a time that begins as wall time and then never
/// jumps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), started_at: wall() }
    }

    /// Wall time.
    #[expect(clippy::unused_self, reason = "who has no clock cannot ask for the time")]
    pub(crate) fn now(&self) -> Timestamp {
        wall()
    }

    /// The scheduler's time.
    pub(crate) fn steady(&self) -> Time {
        let now = self.started_at.after(self.started.elapsed());
        Time(u64::try_from(now.0 / 1000).unwrap_or(0))
    }
}

fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

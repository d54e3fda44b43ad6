//! A point in time by which something must have happened, and whose time it is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A point in time, passed down as a value. It remembers whose time it is, so that a message can say that
/// the job's time ran out and not blame the step that happened to be running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
    owner: Arc<str>,
}

/// Longer than any job; keeps the sum of a hostile timeout and the clock in range.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Deadline {
    /// `limit` from `now`, on behalf of `owner`.
    pub fn after(now: Instant, limit: Duration, owner: impl Into<Arc<str>>) -> Self {
        let limit = limit.min(LONGEST);
        Self { at: now + limit, limit, owner: owner.into() }
    }

    /// The earlier of this deadline and `limit` from `now` on behalf of `owner`. A child never outlives its
    /// parent (lava-compat 1.2).
    #[must_use]
    pub fn narrowed(&self, now: Instant, limit: Duration, owner: impl Into<Arc<str>>) -> Self {
        let own = Self::after(now, limit, owner);
        if own.at < self.at { own } else { self.clone() }
    }

    /// The point in time.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// How long the owner was given in all.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whose time it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What is left at `now`; zero when it is over.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }

    /// Whether it is over at `now`.
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowed_never_outlives_its_parent_and_names_the_owner() {
        let now = Instant::now();
        let job = Deadline::after(now, Duration::from_secs(60), "job");
        assert_eq!(job.narrowed(now, Duration::from_secs(10), "boot").owner(), "boot");
        assert_eq!(job.narrowed(now, Duration::from_secs(100), "boot").owner(), "job");
        assert_eq!(job.narrowed(now, Duration::MAX, "boot"), job);
        assert_eq!(job.remaining(now + Duration::from_secs(61)), Duration::ZERO);
    }
}

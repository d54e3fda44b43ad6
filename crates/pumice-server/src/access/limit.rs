//! How often one address may ask, and fail to log in.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Addresses remembered at most; beyond, those that have not asked for long are forgotten.
const REMEMBERED: usize = 10_000;

/// A bucket of tokens for each address: each request takes one, and time puts them back.
#[derive(Debug)]
pub(crate) struct Limiter {
    capacity: f64,
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Limiter {
    /// At most `capacity` at once, `per` this time on average. A capacity of 0 limits nothing.
    pub(crate) fn new(capacity: u32, per: Duration, count: u32) -> Self {
        let per_second = f64::from(count) / per.as_secs_f64();
        Self { capacity: f64::from(capacity), per_second, buckets: Mutex::default() }
    }

    /// Takes a token; `false` when there is none left.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> bool {
        self.change(address, now, 1.0)
    }

    /// Whether there is a token left, without taking it.
    pub(crate) fn has_left(&self, address: IpAddr, now: Instant) -> bool {
        self.change(address, now, 0.0)
    }

    fn change(&self, address: IpAddr, now: Instant, taken: f64) -> bool {
        if self.capacity == 0.0 {
            return true;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            let full_after = Duration::from_secs_f64(self.capacity / self.per_second.max(f64::MIN_POSITIVE));
            buckets.retain(|_, bucket| now.duration_since(bucket.filled) < full_after);
        }
        let bucket = buckets.entry(address).or_insert(Bucket { tokens: self.capacity, filled: now });
        let gained = now.duration_since(bucket.filled).as_secs_f64() * self.per_second;
        bucket.tokens = (bucket.tokens + gained).min(self.capacity);
        bucket.filled = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= taken;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_time_gives_back() {
        let limiter = Limiter::new(3, Duration::from_secs(60), 60);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let start = Instant::now();
        assert!((0..3).all(|_| limiter.take(one, start)));
        assert!(!limiter.take(one, start));
        assert!(limiter.take(other, start), "each address has its own");
        assert!(limiter.take(one, start + Duration::from_secs(1)));
        assert!(!limiter.has_left(one, start + Duration::from_secs(1)));
    }
}

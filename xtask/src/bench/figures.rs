//! Medians, percentiles, and how figures are printed.

use std::{fmt, time::Duration};

/// Times of the same thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut all: Vec<Duration> = times.into_iter().collect();
        all.sort();
        Self(all)
    }
}

impl Times {
    /// The time that so many of a hundred do not exceed (nearest rank).
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// The middle one.
    pub(crate) fn median(&self) -> Duration {
        self.percentile(50)
    }
}

/// The middle half, so that a reader sees how sure the median is.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, middle, high] = [25, 50, 75].map(|percent| milliseconds(self.percentile(percent)));
        write!(f, "{middle} (middle half {low} to {high})")
    }
}

/// `1234.5 ms`.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Prints a figure beside what is promised of it.
pub(crate) fn promised(what: &str, figure: &str, promise: &str, is_kept: bool) {
    let word = if is_kept { "kept" } else { "MISSED" };
    println!("{what}: {figure}; promised: {promise}: {word}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Times = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(times.median(), Duration::from_millis(50));
        assert_eq!(times.percentile(99), Duration::from_millis(99));
        assert_eq!(times.percentile(100), Duration::from_millis(100));
        assert_eq!(Times::default().median(), Duration::ZERO);
    }
}

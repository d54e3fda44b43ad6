//! Points in time as databases and wires keep them.

use std::{fmt, time::Duration};

use jiff::{Zoned, civil::DateTime, fmt::temporal::DateTimeParser, tz::TimeZone};

/// Microseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This much later; the end of time when it would be beyond it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero when it is yet to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar's date and time in UTC; 1970 for what no calendar reaches.
    pub fn civil(self) -> DateTime {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default().to_zoned(TimeZone::UTC).datetime()
    }

    /// Reads `2026-11-22T10:00:00Z` and its relatives; without an offset it is UTC.
    pub fn parse(text: &str) -> Option<Self> {
        const PARSER: DateTimeParser = DateTimeParser::new();
        let text = text.trim();
        PARSER
            .parse_timestamp(text)
            .ok()
            .or_else(|| {
                let civil = PARSER.parse_datetime(text).ok()?;
                civil.to_zoned(TimeZone::UTC).ok().map(|zoned: Zoned| zoned.timestamp())
            })
            .map(|timestamp| Self(timestamp.as_microsecond()))
    }

    /// As Python's `isoformat()` prints a UTC time: `2026-11-22T10:00:00.123456+00:00`, without the fraction when
    /// it is zero (lava-compat 3.3).
    pub fn python_iso(self) -> String {
        format!("{}+00:00", self.bare('T'))
    }

    /// As Python's `str()` prints a UTC time: `2026-11-22 10:00:00.123456+00:00`.
    pub fn python_str(self) -> String {
        format!("{}+00:00", self.bare(' '))
    }

    /// As LAVA's REST answers it: `2026-11-22T10:00:00.123456Z`.
    pub fn rest(self) -> String {
        format!("{}Z", self.bare('T'))
    }

    fn bare(self, separator: char) -> String {
        let civil = self.civil();
        let micros = self.0.rem_euclid(1_000_000);
        let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
        format!(
            "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}{fraction}",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second()
        )
    }
}

/// `2026-11-22 10:00:00 UTC`, for people.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Self(self.0.div_euclid(1_000_000) * 1_000_000);
        write!(f, "{} UTC", whole.bare(' '))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_gets_the_spelling_it_reads() {
        let time = Timestamp::parse("2026-11-22T10:35:42.724606Z").unwrap();
        assert_eq!(time.python_iso(), "2026-11-22T10:35:42.724606+00:00");
        assert_eq!(time.python_str(), "2026-11-22 10:35:42.724606+00:00");
        assert_eq!(time.rest(), "2026-11-22T10:35:42.724606Z");
        assert_eq!(time.to_string(), "2026-11-22 10:35:42 UTC");
        assert_eq!(Timestamp(0).rest(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_time_without_an_offset_is_utc() {
        let expected = Timestamp::parse("2026-11-22T10:00:00Z");
        assert!(expected.is_some());
        for text in
            ["2026-11-22 10:00:00", "2026-11-22T10:00:00", "2026-11-22T11:00:00+01:00", "2026-11-22T10:00"]
        {
            assert_eq!(Timestamp::parse(text), expected, "{text}");
        }
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn arithmetic_never_leaves_the_range() {
        assert_eq!(Timestamp(i64::MAX).after(Duration::MAX), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(i64::MAX).civil().year(), 1970);
    }
}

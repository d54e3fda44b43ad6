//! A point in time as it is written in logs and results.

use std::fmt;

use serde::{Deserialize, Serialize};

const MICROS: i64 = 1_000_000;
const DAY: i64 = 24 * 3600;

/// Microseconds since 1970-01-01T00:00:00 UTC.
///
/// Shown as Python's `isoformat()` shows an aware time in UTC, which LAVA's log has (lava-compat 3.3):
/// `2026-08-04T10:00:00.123456+00:00`, the fraction left out when it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// With a blank instead of `T`, as LAVA's exports have it (lava-compat 7.4).
    pub fn spaced(self) -> String {
        self.to_string().replacen('T', " ", 1)
    }

    /// Reads what [`fmt::Display`] writes, also with a blank instead of `T` and with `Z` for the offset.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z')).unwrap_or(text);
        let (date, clock) = text.split_once(['T', ' '])?;
        let mut date = date.splitn(3, '-').map(number);
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut clock = clock.splitn(3, ':').map(number);
        let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
        let in_range = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && year <= 9999
            && hours < 24
            && minutes < 60
            && seconds < 61
            && fraction.len() <= 6;
        let micros =
            number(fraction)? * 10_i64.pow(6_u32.saturating_sub(u32::try_from(fraction.len()).ok()?));
        let days = days_from_civil(year, month, day);
        in_range.then(|| Self((days * DAY + hours * 3600 + minutes * 60 + seconds) * MICROS + micros))
    }
}

fn number(digits: &str) -> Option<i64> {
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(MICROS), self.0.rem_euclid(MICROS));
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}")?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("+00:00")
    }
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The opposite, `civil_from_days` of the same source.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_python_writes_it_and_read_back() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00+00:00"),
            (1_785_837_600_123_456, "2026-08-04T10:00:00.123456+00:00"),
            (1_709_164_800_000_001, "2024-02-29T00:00:00.000001+00:00"),
            (-1, "1969-12-31T23:59:59.999999+00:00"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(micros)));
        }
        assert_eq!(Timestamp::parse("2026-08-04 10:00:00.5Z"), Some(Timestamp(1_785_837_600_500_000)));
        for bad in ["", "2026", "2026-13-01T00:00:00", "2026-01-01T00:00:00.1234567", "2026-01-01T99:00:00"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }
}

//! Dates and times, which YAML 1.1 takes plain text for.

use std::fmt::Write as _;

/// The parts of a timestamp as written.
struct Parts<'t> {
    year: u32,
    month: u32,
    day: u32,
    time: Option<Time<'t>>,
}

struct Time<'t> {
    hour: u32,
    minute: u32,
    second: u32,
    fraction: &'t [u8],
    zone: Option<Zone>,
}

enum Zone {
    Utc,
    Offset { negative: bool, hours: u32, minutes: u32 },
}

/// Whether PyYAML's implicit resolver takes the text for a timestamp. A date alone needs two digits for month and
/// day; with a time one is enough.
pub(crate) fn looks_like_one(text: &[u8]) -> bool {
    parts(text).is_some_and(|parts| parts.time.is_some() || text.len() == 10)
}

/// The text of Python's `str()` of what PyYAML makes of a timestamp: `2026-11-22`, `2026-11-22 12:00:00.500000+01:00`.
/// `None` when there is no such day or time.
pub(crate) fn normalised(text: &str) -> Option<String> {
    let Parts { year, month, day, time } = parts(text.as_bytes())?;
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return None;
    }
    let mut shown = format!("{year:04}-{month:02}-{day:02}");
    let Some(time) = time else { return Some(shown) };
    if time.hour > 23 || time.minute > 59 || time.second > 59 {
        return None;
    }
    let _ = write!(shown, " {:02}:{:02}:{:02}", time.hour, time.minute, time.second);
    let microseconds =
        (0..6).fold(0, |sum, at| sum * 10 + time.fraction.get(at).map_or(0, |digit| u32::from(digit - b'0')));
    if microseconds > 0 {
        let _ = write!(shown, ".{microseconds:06}");
    }
    match time.zone {
        None => {}
        Some(Zone::Utc) => shown.push_str("+00:00"),
        Some(Zone::Offset { negative, hours, minutes }) => {
            let total = hours * 60 + minutes;
            if total >= 24 * 60 {
                return None;
            }
            let sign = if negative && total > 0 { '-' } else { '+' };
            let _ = write!(shown, "{sign}{:02}:{:02}", total / 60, total % 60);
        }
    }
    Some(shown)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// PyYAML's `timestamp_regexp`.
fn parts(text: &[u8]) -> Option<Parts<'_>> {
    let mut reader = Reader(text);
    let year = reader.digits(4, 4)?;
    reader.byte(b'-')?;
    let month = reader.digits(1, 2)?;
    reader.byte(b'-')?;
    let day = reader.digits(1, 2)?;
    if reader.0.is_empty() {
        return Some(Parts { year, month, day, time: None });
    }
    if reader.byte(b'T').or_else(|| reader.byte(b't')).is_none() && reader.blanks() == 0 {
        return None;
    }
    let hour = reader.digits(1, 2)?;
    reader.byte(b':')?;
    let minute = reader.digits(2, 2)?;
    reader.byte(b':')?;
    let second = reader.digits(2, 2)?;
    let fraction = if reader.byte(b'.').is_some() { reader.fraction() } else { b"".as_slice() };
    reader.blanks_before_more()?;
    let zone = if reader.0.is_empty() { None } else { Some(reader.zone()?) };
    Some(Parts { year, month, day, time: Some(Time { hour, minute, second, fraction, zone }) })
}

struct Reader<'t>(&'t [u8]);

impl<'t> Reader<'t> {
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        Some(digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    fn fraction(&mut self) -> &'t [u8] {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits
    }

    fn blanks(&mut self) -> usize {
        let count = self.0.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.0 = &self.0[count..];
        count
    }

    /// Blanks are allowed before a zone only.
    fn blanks_before_more(&mut self) -> Option<()> {
        (self.blanks() == 0 || !self.0.is_empty()).then_some(())
    }

    /// The zone and the end.
    fn zone(&mut self) -> Option<Zone> {
        let negative = match self.0 {
            b"Z" => return Some(Zone::Utc),
            [b'+', ..] => false,
            [b'-', ..] => true,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.digits(1, 2)?;
        let minutes = if self.byte(b':').is_some() { self.digits(2, 2)? } else { 0 };
        self.0.is_empty().then_some(Zone::Offset { negative, hours, minutes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_python_prints_them() {
        let cases = [
            ("2026-11-22", Some("2026-11-22")),
            ("2024-02-29", Some("2024-02-29")),
            ("2023-02-29", None),
            ("2026-13-01", None),
            ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14 21:59:43.100000-05:00")),
            ("2001-12-14 21:59:43.10 -5", Some("2001-12-14 21:59:43.100000-05:00")),
            ("2001-12-15 2:59:43.10", Some("2001-12-15 02:59:43.100000")),
            ("2001-1-5T02:59:43Z", Some("2001-01-05 02:59:43+00:00")),
            ("2001-1-5T02:59:43-0", Some("2001-01-05 02:59:43+00:00")),
            ("2001-1-5T24:00:00", None),
        ];
        for (text, expected) in cases {
            assert_eq!(normalised(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn versions_and_short_dates_are_texts() {
        for text in ["2026-1-1", "2026.04.01", "2026-11-22-1", "2026-11-22 ", "2026-11-22T12:00", "20261122"]
        {
            assert!(!looks_like_one(text.as_bytes()), "{text}");
        }
        assert!(looks_like_one(b"2026-1-1 1:00:00"));
        assert!(looks_like_one(b"2026-99-99"));
    }
}

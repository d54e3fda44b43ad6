//! Reading the values of knobs: numbers, sizes, durations, lists.

use std::time::Duration;

/// A duration drawn at random between two bounds, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// A value between the bounds; `fraction` is in 0..=1.
    pub(crate) fn at(self, fraction: f64) -> Duration {
        Duration::from_secs_f64(self.least + (self.most - self.least) * fraction)
    }
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        _ => Err("0 or 1 is wanted".into()),
    }
}

pub(super) fn number(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && f64::is_finite(value) => Ok(value),
        _ => Err("a number above 0 is wanted".into()),
    }
}

pub(super) fn count<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a whole number is wanted".into())
}

/// Seconds, with a fraction if need be.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.trim_end_matches('s')
        .parse()
        .ok()
        .and_then(|value| Duration::try_from_secs_f64(value).ok())
        .ok_or_else(|| "a number of seconds is wanted".into())
}

/// `2` or `0.5..3`, in seconds.
pub(super) fn spread(text: &str) -> Result<Spread, String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let spread = Spread { least: seconds(least)?.as_secs_f64(), most: seconds(most)?.as_secs_f64() };
    if spread.least <= spread.most { Ok(spread) } else { Err("the lower bound comes first".into()) }
}

/// `4096`, `64KiB`, `10MiB`, `1GiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(*factor))
        .ok_or_else(|| "a number of bytes is wanted, such as 4096, 64KiB or 1GiB".into())
}

/// `0+2+3`.
pub(super) fn list(text: &str) -> Result<Vec<usize>, String> {
    text.split('+').map(count).collect()
}

/// One of some words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("one of {} is wanted", all.join(", "))
    })
}

//! Sizes and durations as people write them.

use std::{fmt, str::FromStr, time::Duration};

use serde::Serialize;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl fmt::Display for ByteSize {
    /// `12 B`, `1.5 KiB`, `980 MiB`: three significant digits, as few as say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS.into_iter().find(|(_, size)| self.0 >= *size).unwrap_or(("B", 1));
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let value = self.0 as f64 / size as f64;
        let digits = usize::from(!self.0.is_multiple_of(size) && value < 100.0);
        write!(f, "{value:.digits$} {unit}")
    }
}

impl FromStr for ByteSize {
    type Err = String;

    /// `512`, `512 MiB`, `2G`, `64k`: units are powers of 1024.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1_u64 << 40,
            _ => return Err(format!("`{text}` is not a size; write for example `512 MiB`")),
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size; write for example `512 MiB`"))
    }
}

/// `HH:MM:SS`, the form of LAVA's log (lava-compat 3.3). Hours may be more than two digits.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!("512 MiB".parse(), Ok(ByteSize(512 << 20)));
        assert_eq!("2G".parse(), Ok(ByteSize(2 << 30)));
        assert!("2 potatoes".parse::<ByteSize>().is_err());
        assert!("".parse::<ByteSize>().is_err());
        assert!("99999999999T".parse::<ByteSize>().is_err());
        let shown: Vec<_> = [0, 12, 1024, 1536, 980 << 20].map(|bytes| ByteSize(bytes).to_string()).into();
        assert_eq!(shown, ["0 B", "12 B", "1 KiB", "1.5 KiB", "980 MiB"]);
    }

    #[test]
    fn clock_is_hours_minutes_seconds() {
        assert_eq!(clock(Duration::from_secs(3_725)), "01:02:05");
    }
}

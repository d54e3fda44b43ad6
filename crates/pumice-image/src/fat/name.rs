//! Names of new files: eleven characters in upper case for everybody, and the real name for those who read
//! on (fatgen103, "Long Directory Entries").

use std::collections::HashSet;

/// Bytes of an entry of a directory.
pub(super) const ENTRY: usize = 32;
/// Characters of a long name in one entry, in UTF-16.
const PART: usize = 13;

/// A name that FAT can hold.
pub(super) struct Name {
    short: [u8; 11],
    /// The real name in UTF-16, where it is another.
    long: Vec<u16>,
}

impl Name {
    /// Reads a name; `taken` are the short names of the directory. The error is what is wrong with it, with
    /// its article.
    pub(super) fn new(name: &[u8], taken: &mut HashSet<[u8; 11]>) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(name).map_err(|_| "a file whose name is not valid UTF-8")?;
        if text.contains(|c: char| c < ' ' || r#"\/:*?"<>|"#.contains(c)) {
            return Err("a name with characters FAT does not have");
        }
        if text.ends_with(['.', ' ']) {
            return Err("a name that ends in a dot or a space, which FAT drops");
        }
        let long: Vec<u16> = text.encode_utf16().collect();
        if long.len() > 255 {
            return Err("a name of more than 255 characters");
        }
        let (short, is_whole) = short_name(text, taken)?;
        taken.insert(short);
        Ok(Self { short, long: if is_whole { Vec::new() } else { long } })
    }

    /// The name in which two that FAT takes for the same are equal.
    pub(super) fn folded(&self) -> String {
        if self.long.is_empty() {
            let (base, extension) = self.short.split_at(8);
            let half = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_lowercase();
            let (base, extension) = (half(base), half(extension));
            return if extension.is_empty() { base } else { format!("{base}.{extension}") };
        }
        String::from_utf16_lossy(&self.long).to_lowercase()
    }

    /// How many entries it takes.
    pub(super) fn entries(&self) -> usize {
        1 + self.long.len().div_ceil(PART)
    }

    /// The entries; `length` is `None` for a directory.
    pub(super) fn encode(&self, cluster: u32, length: Option<u32>, mtime: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let sum = self.short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        let parts: Vec<&[u16]> = self.long.chunks(PART).collect();
        for (index, part) in parts.iter().enumerate().rev() {
            // A part that is not full ends in 0 and is filled up with 0xffff.
            let mut units = [0xffff; PART];
            units[..part.len()].copy_from_slice(part);
            if let Some(end) = units.get_mut(part.len()) {
                *end = 0;
            }
            let number = u8::try_from(index + 1).unwrap_or(0);
            let last = if index + 1 == parts.len() { 0x40 } else { 0 };
            let units: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            bytes.push(number | last);
            bytes.extend(&units[..10]);
            bytes.extend([0x0f, 0, sum]);
            bytes.extend(&units[10..22]);
            bytes.extend([0, 0]);
            bytes.extend(&units[22..]);
        }
        let attributes = if length.is_none() { 0x10 } else { 0x20 };
        bytes.extend(entry(&self.short, attributes, cluster, length.unwrap_or(0), mtime));
        bytes
    }

    /// The entry of the root directory that holds the name of the volume.
    pub(super) fn label(label: [u8; 11]) -> [u8; ENTRY] {
        entry(&label, 0x08, 0, 0, 0)
    }

    /// The entries `.` and `..` of a directory.
    pub(super) fn dots(here: u32, above: u32) -> Vec<u8> {
        let mut name = [b' '; 11];
        name[0] = b'.';
        let first = entry(&name, 0x10, here, 0, 0);
        name[1] = b'.';
        [first, entry(&name, 0x10, above, 0, 0)].concat()
    }
}

/// One entry with a short name.
fn entry(name: &[u8; 11], attributes: u8, cluster: u32, length: u32, mtime: u64) -> [u8; ENTRY] {
    let (date, time) = date_and_time(mtime);
    let [c0, c1, c2, c3] = cluster.to_le_bytes();
    let mut bytes = [0; ENTRY];
    bytes[..11].copy_from_slice(name);
    bytes[11] = attributes;
    for at in [16, 18, 24] {
        bytes[at..at + 2].copy_from_slice(&date.to_le_bytes()); // created, read, written
    }
    for at in [14, 22] {
        bytes[at..at + 2].copy_from_slice(&time.to_le_bytes());
    }
    bytes[20..22].copy_from_slice(&[c2, c3]);
    bytes[26..28].copy_from_slice(&[c0, c1]);
    bytes[28..].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// A short name that nobody has in this directory, and whether it says everything.
fn short_name(text: &str, taken: &HashSet<[u8; 11]>) -> Result<([u8; 11], bool), &'static str> {
    let (base, extension) = match text.rsplit_once('.') {
        Some((base, extension)) if !base.is_empty() => (base, extension),
        _ => (text, ""),
    };
    let base_bytes = plain(base);
    let extension_bytes = plain(extension);
    let compose = |base: &[u8]| {
        let mut name = [b' '; 11];
        for (to, from) in name[..8].iter_mut().zip(base) {
            *to = *from;
        }
        for (to, from) in name[8..].iter_mut().zip(&extension_bytes) {
            *to = *from;
        }
        name
    };
    let is_exact = |text: &str, bytes: &[u8], most| bytes == text.as_bytes() && bytes.len() <= most;
    let is_whole = is_exact(base, &base_bytes, 8) && is_exact(extension, &extension_bytes, 3);
    let fits = base_bytes.len() <= 8 && extension_bytes.len() <= 3 && !base_bytes.is_empty();
    let is_same_letters = base.eq_ignore_ascii_case(&String::from_utf8_lossy(&base_bytes))
        && extension.eq_ignore_ascii_case(&String::from_utf8_lossy(&extension_bytes));
    let name = compose(&base_bytes);
    if fits && is_same_letters && !taken.contains(&name) {
        return Ok((name, is_whole));
    }
    (1..1_000_000_u32)
        .map(|number| {
            let tail = format!("~{number}");
            let kept = base_bytes.len().min(8 - tail.len());
            compose(&[&base_bytes[..kept], tail.as_bytes()].concat())
        })
        .find(|name| !taken.contains(name))
        .map(|name| (name, false))
        .ok_or("one of more files than a directory holds")
}

/// The characters a short name may have, in upper case; dots and spaces are dropped, others become `_`.
fn plain(text: &str) -> Vec<u8> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "$%'-_@~`!(){}^#&".contains(c);
    let fold = |c: char| if allowed(c) { c.to_ascii_uppercase() } else { '_' };
    text.chars().filter(|c| !matches!(c, '.' | ' ')).map(fold).filter_map(|c| u8::try_from(c).ok()).collect()
}

/// A time as FAT writes it: years from 1980, seconds by twos; what was before is the first day.
fn date_and_time(seconds: u64) -> (u16, u16) {
    const FIRST: u64 = 315_532_800; // 1 January 1980
    const LAST: u64 = 4_354_819_198; // 31 December 2107
    let since = seconds.clamp(FIRST, LAST) - FIRST;
    let (mut days, seconds) = (since / 86_400, since % 86_400);
    let mut year = 1980_u64;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = |year| if is_leap(year) { 366 } else { 365 };
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let pack = |number: u64| u16::try_from(number).unwrap_or(0);
    let date = (year - 1980) << 9 | month << 5 | (days + 1);
    let time = (seconds / 3600) << 11 | (seconds / 60 % 60) << 5 | (seconds % 60 / 2);
    (pack(date), pack(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_those_everybody_makes() {
        let mut taken = HashSet::new();
        let mut short = |name: &str| {
            let name = Name::new(name.as_bytes(), &mut taken).unwrap();
            let short = String::from_utf8_lossy(&name.short).into_owned();
            (short, name.long.is_empty())
        };
        let pair = |short: &str, is_whole| (short.to_owned(), is_whole);
        assert_eq!(short("KERNEL.AXF"), pair("KERNEL  AXF", true));
        assert_eq!(short("startup.nsh"), pair("STARTUP NSH", false));
        assert_eq!(short("a long name.dtb"), pair("ALONGN~1DTB", false));
        assert_eq!(short("a long name 2.dtb"), pair("ALONGN~2DTB", false));
        assert_eq!(short(".hidden"), pair("HIDDEN~1   ", false));
        assert_eq!(short("ü"), pair("_~1        ", false));
        assert_eq!(short("x.y.z"), pair("XY~1    Z  ", false));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let expected = |year: u16, month: u16, day: u16, hour: u16, minute: u16, second: u16| {
            ((year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | (second / 2))
        };
        assert_eq!(date_and_time(0), expected(1980, 1, 1, 0, 0, 0));
        assert_eq!(date_and_time(951_782_400), expected(2000, 2, 29, 0, 0, 0));
        assert_eq!(date_and_time(1_700_000_000), expected(2023, 11, 14, 22, 13, 20));
        assert_eq!(date_and_time(u64::MAX), expected(2107, 12, 31, 23, 59, 58));
    }
}

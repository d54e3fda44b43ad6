//! Directories: entries of 32 bytes, and the longer names spread over entries before them.

use super::boot_sector::{u16_at, u32_at};

/// Bytes of an entry.
const ENTRY: usize = 32;
/// Entries of a long name at most: 20 of 13 characters.
const MOST_PARTS: u8 = 20;

/// One file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_directory: bool,
    pub(super) cluster: u32,
    pub(super) bytes: u32,
}

/// The entries of a directory, given its bytes. `.` and `..` and the label are left out; a long name that
/// does not fit to its file is passed over, as the specification asks.
pub(super) fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut long = LongName::default();
    for entry in bytes.chunks_exact(ENTRY) {
        let attributes = entry[11];
        match entry[0] {
            0 => break,
            0xe5 => long = LongName::default(),
            _ if attributes & 0x3f == 0x0f => long.add(entry),
            b'.' => long = LongName::default(),
            _ if attributes & 0x08 != 0 => long = LongName::default(),
            _ => {
                let name = std::mem::take(&mut long).finish(&entry[..11]);
                let name = name.unwrap_or_else(|| short_name(entry));
                if !name.is_empty() && !name.contains(['/', '\0']) {
                    found.push(Entry {
                        name,
                        is_directory: attributes & 0x10 != 0,
                        cluster: u32::from(u16_at(entry, 20)) << 16 | u32::from(u16_at(entry, 26)),
                        bytes: u32_at(entry, 28),
                    });
                }
            }
        }
    }
    found
}

/// The parts of a long name, which come in reverse order.
#[derive(Default)]
struct LongName {
    /// The number of the next part, counting down to 1; 0 when the name is complete or there is none.
    next: u8,
    checksum: u8,
    /// UTF-16, each part reversed.
    reversed: Vec<u16>,
    is_good: bool,
}

impl LongName {
    fn add(&mut self, entry: &[u8]) {
        let number = entry[0] & 0x3f;
        if entry[0] & 0x40 != 0 {
            let is_good = (1..=MOST_PARTS).contains(&number);
            *self = Self { next: number, checksum: entry[13], reversed: Vec::new(), is_good };
        }
        if !self.is_good || number != self.next || number == 0 || entry[13] != self.checksum {
            *self = Self::default();
            return;
        }
        self.next -= 1;
        let characters = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
        self.reversed.extend(characters.iter().rev().map(|at| u16_at(entry, *at)));
    }

    fn finish(self, short: &[u8]) -> Option<String> {
        let sum = short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if !self.is_good || self.next != 0 || sum != self.checksum {
            return None;
        }
        let units: Vec<u16> = self.reversed.into_iter().rev().take_while(|unit| *unit != 0).collect();
        Some(String::from_utf16_lossy(&units))
    }
}

/// `NAME    EXT` as `NAME.EXT`; two bits say that a half is in lower case, as Windows NT writes it.
fn short_name(entry: &[u8]) -> String {
    let half = |bytes: &[u8], is_lower: bool| {
        // Characters past ASCII depend on a code page nobody recorded.
        let text: String =
            bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '_' }).collect();
        let text = text.trim_end_matches(' ').to_owned();
        if is_lower { text.to_ascii_lowercase() } else { text }
    };
    let base = half(&entry[..8], entry[12] & 0x08 != 0);
    let extension = half(&entry[8..11], entry[12] & 0x10 != 0);
    if extension.is_empty() { base } else { format!("{base}.{extension}") }
}

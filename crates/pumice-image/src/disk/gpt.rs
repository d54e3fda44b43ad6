//! The GUID partition table.
//!
//! Source: UEFI specification 2.10, section 5.3.

use super::{DiskError, region::RegionReader};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: [u8; 16],
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) attributes: u64,
    pub(super) name: String,
}

/// The largest table we read, in bytes: 128 entries of 128 bytes are usual.
const LARGEST_TABLE: u64 = 1 << 20;

/// The entries in use, in the order of the table; `None` when there is no table. The second copy at the end
/// of the disk is used when the first is damaged.
pub(super) fn read(disk: &RegionReader) -> Result<Option<Vec<Entry>>, DiskError> {
    let mut is_seen = false;
    for sector in [512, 4096] {
        for place in [sector, disk.length().saturating_sub(sector)] {
            match read_copy(disk, place, sector)? {
                Copy::Good(entries) => return Ok(Some(entries)),
                Copy::Damaged => is_seen = true,
                Copy::Absent => {}
            }
        }
    }
    if is_seen { Err(DiskError::Damaged("no copy of it has the right checksum")) } else { Ok(None) }
}

/// What stands where a copy would be.
enum Copy {
    Good(Vec<Entry>),
    Damaged,
    Absent,
}

fn read_copy(disk: &RegionReader, place: u64, sector: u64) -> Result<Copy, DiskError> {
    let mut header = [0; 512];
    if disk.length() < place.saturating_add(512) {
        return Ok(Copy::Absent);
    }
    disk.read_exact_at(&mut header, place)?;
    if &header[..8] != b"EFI PART" {
        return Ok(Copy::Absent);
    }
    let u32_at = |bytes: &[u8], at: usize| {
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    };
    let u64_at =
        |bytes: &[u8], at: usize| u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32;
    let header_length = u32_at(&header, 12) as usize;
    if !(92..=512).contains(&header_length) {
        return Ok(Copy::Damaged);
    }
    let expected = u32_at(&header, 16);
    header[16..20].fill(0);
    if crc32fast::hash(&header[..header_length]) != expected {
        return Ok(Copy::Damaged);
    }
    let (table, count, size) = (u64_at(&header, 72), u32_at(&header, 80), u32_at(&header, 84));
    let bytes = u64::from(count) * u64::from(size);
    if size < 128 || bytes > LARGEST_TABLE {
        return Ok(Copy::Damaged);
    }
    let Some(table) = table.checked_mul(sector) else { return Ok(Copy::Damaged) };
    let mut entries = vec![0; usize::try_from(bytes).unwrap_or(0)];
    if disk.length() < table.saturating_add(bytes) {
        return Ok(Copy::Damaged);
    }
    disk.read_exact_at(&mut entries, table)?;
    if crc32fast::hash(&entries) != u32_at(&header, 88) {
        return Ok(Copy::Damaged);
    }
    let mut found = Vec::new();
    for entry in entries.chunks_exact(size as usize) {
        let mut kind = [0; 16];
        kind.copy_from_slice(&entry[..16]);
        if kind == [0; 16] {
            continue;
        }
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        let sectors = last.checked_sub(first).and_then(|sectors| sectors.checked_add(1));
        let start = first.checked_mul(sector);
        let length = sectors.and_then(|sectors| sectors.checked_mul(sector));
        let (Some(start), Some(length)) = (start, length) else { return Ok(Copy::Damaged) };
        let name = entry[56..128].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let name: Vec<u16> = name.take_while(|unit| *unit != 0).collect();
        found.push(Entry {
            kind,
            start,
            length,
            attributes: u64_at(entry, 48),
            name: String::from_utf16_lossy(&name),
        });
    }
    Ok(Copy::Good(found))
}

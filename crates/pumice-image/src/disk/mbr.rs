//! The partition table of a PC: four entries in the first sector, and a chain of more.
//!
//! Source: UEFI specification 2.10, section 5.2; for the chain of logical partitions, Linux,
//! block/partitions/msdos.c.

use super::{DiskError, region::RegionReader};

/// Bytes of a sector. Disks with larger ones carry a GUID partition table.
const SECTOR: u64 = 512;
/// Logical partitions followed; Linux stops at its own limit as well.
const MOST_LOGICAL: usize = 256;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) is_active: bool,
    pub(super) kind: u8,
    pub(super) start: u64,
    pub(super) length: u64,
}

/// The type of an entry that only says that there is a GUID partition table.
pub(super) const PROTECTIVE: u8 = 0xee;

/// The entries of the table, primary ones first; `None` when the first sector holds no table.
pub(super) fn read(disk: &RegionReader) -> Result<Option<Vec<Entry>>, DiskError> {
    let Some(primary) = read_sector(disk, 0)? else { return Ok(None) };
    if primary.iter().all(|entry| entry.kind == 0) {
        return Ok(None);
    }
    let mut found = Vec::new();
    for entry in &primary {
        if is_extended(entry.kind) {
            continue;
        }
        if entry.kind != 0 && entry.length > 0 {
            found.push(*entry);
        }
    }
    for extended in primary.iter().filter(|entry| is_extended(entry.kind)) {
        read_logical(disk, extended.start, &mut found)?;
    }
    Ok(Some(found))
}

/// Follows the chain: each sector of it holds a partition, relative to itself, and the place of the next
/// sector, relative to the first.
fn read_logical(disk: &RegionReader, first: u64, found: &mut Vec<Entry>) -> Result<(), DiskError> {
    let mut place = first;
    for _ in 0..MOST_LOGICAL {
        let Some(entries) = read_sector(disk, place)? else { return Ok(()) };
        for entry in entries.iter().filter(|entry| entry.kind != 0 && !is_extended(entry.kind)) {
            let start = place.checked_add(entry.start).ok_or(DiskError::Damaged("a number overflows"))?;
            if entry.length > 0 {
                found.push(Entry { start, ..*entry });
            }
        }
        let Some(next) = entries.iter().find(|entry| is_extended(entry.kind)) else { return Ok(()) };
        place = first.checked_add(next.start).ok_or(DiskError::Damaged("a number overflows"))?;
    }
    Err(DiskError::Damaged("its chain of logical partitions has no end"))
}

/// The four entries of a sector, starts and lengths in bytes; `None` when it carries no signature or what it
/// says cannot be a table.
fn read_sector(disk: &RegionReader, place: u64) -> Result<Option<[Entry; 4]>, DiskError> {
    let mut sector = [0; 512];
    if disk.length() < place.saturating_add(SECTOR) {
        return Ok(None);
    }
    disk.read_exact_at(&mut sector, place)?;
    if sector[510..] != [0x55, 0xaa] {
        return Ok(None);
    }
    let mut entries = [Entry { is_active: false, kind: 0, start: 0, length: 0 }; 4];
    for (entry, bytes) in entries.iter_mut().zip(sector[446..510].chunks_exact(16)) {
        let number = |at: usize| {
            u64::from(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
        };
        if !matches!(bytes[0], 0 | 0x80) {
            return Ok(None);
        }
        *entry = Entry {
            is_active: bytes[0] == 0x80,
            kind: bytes[4],
            start: number(8) * SECTOR,
            length: number(12) * SECTOR,
        };
    }
    Ok(Some(entries))
}

/// Extended partitions: CHS, LBA and Linux's own.
fn is_extended(kind: u8) -> bool {
    matches!(kind, 0x05 | 0x0f | 0x85)
}

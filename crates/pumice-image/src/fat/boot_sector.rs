//! The first sector: how large everything is, and where.

use super::FatError;

/// How wide an entry of the allocation table is, which follows from the number of clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

/// Places and sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) width: Width,
    pub(super) cluster_bytes: u64,
    /// Clusters are numbered from 2; this is the first number that is none.
    pub(super) cluster_end: u32,
    pub(super) table: u64,
    /// The root directory of FAT12 and FAT16, which is no chain of clusters.
    pub(super) root: u64,
    pub(super) root_bytes: u64,
    /// The root directory of FAT32.
    pub(super) root_cluster: u32,
    pub(super) data: u64,
}

/// Whether a file system that begins with these bytes is FAT: the fields that every FAT has are in the range
/// that every FAT keeps. The word `FAT` in it means nothing, says the specification.
pub fn is_fat(begin: &[u8]) -> bool {
    begin.len() >= 90
        && matches!(begin[0], 0xeb | 0xe9)
        && matches!(u16_at(begin, 11), 512 | 1024 | 2048 | 4096)
        && begin[13].is_power_of_two()
        && u16_at(begin, 14) > 0
        && (1..=4).contains(&begin[16])
        && (begin[21] == 0xf0 || begin[21] >= 0xf8)
        && (u16_at(begin, 19) != 0 || u32_at(begin, 32) != 0)
}

impl Geometry {
    /// Reads the first sector of a file system of `length` bytes.
    pub(super) fn read(sector: &[u8], length: u64) -> Result<Self, FatError> {
        if !is_fat(sector) {
            return Err(FatError::Damaged("its first sector is none of a FAT file system"));
        }
        let sector_bytes = u64::from(u16_at(sector, 11));
        let reserved = u64::from(u16_at(sector, 14));
        let tables = u64::from(sector[16]);
        let root_entries = u64::from(u16_at(sector, 17));
        let pick = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
        let total = pick(u16_at(sector, 19), u32_at(sector, 32));
        let table_sectors = pick(u16_at(sector, 22), u32_at(sector, 36));
        let root_sectors = (root_entries * 32).div_ceil(sector_bytes);
        let data_sector = reserved + tables * table_sectors + root_sectors;
        let clusters = total
            .checked_sub(data_sector)
            .ok_or(FatError::Damaged("its tables are larger than the whole"))?
            / u64::from(sector[13]);
        if table_sectors == 0 || clusters == 0 || data_sector * sector_bytes >= length {
            return Err(FatError::Damaged("it has no room for files"));
        }
        let width = match clusters {
            0..4085 => Width::Fat12,
            4085..65525 => Width::Fat16,
            _ => Width::Fat32,
        };
        Ok(Self {
            width,
            cluster_bytes: sector_bytes * u64::from(sector[13]),
            cluster_end: u32::try_from(clusters + 2).map_err(|_| FatError::Damaged("it is too large"))?,
            table: reserved * sector_bytes,
            root: (reserved + tables * table_sectors) * sector_bytes,
            root_bytes: root_entries * 32,
            root_cluster: if width == Width::Fat32 { u32_at(sector, 44) } else { 0 },
            data: data_sector * sector_bytes,
        })
    }

    /// Where the contents of a cluster begin; `None` for a number that is no cluster.
    pub(super) fn cluster_place(&self, cluster: u32) -> Option<u64> {
        let index = cluster.checked_sub(2).filter(|_| cluster < self.cluster_end)?;
        Some(self.data + u64::from(index) * self.cluster_bytes)
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

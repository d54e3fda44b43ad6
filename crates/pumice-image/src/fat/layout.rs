//! How large everything of a new file system is, and where.

use std::io::{self, Seek, SeekFrom, Write};

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// Clusters are numbered from here: the first two entries of the table mean something else.
pub(super) const RESERVED_CLUSTERS: u32 = 2;
/// From this size on the table has 32 bits an entry; below, 16 bits, which every firmware reads.
const FAT32_FROM: u64 = 512 << 20;
/// The smallest image made, large enough for FAT16 with clusters of one sector.
const SMALLEST: u64 = 8 << 20;
/// Entries of the root directory of FAT16 at least; 512 is what everybody uses.
const ROOT_BYTES: u64 = 512 * 32;
/// The number a volume has instead of the time it was made.
const VOLUME: [u8; 4] = *b"PUMI";

/// Sizes in sectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    is_fat32: bool,
    total: u64,
    cluster: u64,
    reserved: u64,
    table: u64,
    /// The root directory of FAT16.
    root: u64,
    clusters: u32,
}

impl Layout {
    /// A layout with room for parts of these lengths, a root directory of `root_bytes`, and `free` more.
    pub(super) fn for_parts(parts: impl Iterator<Item = u64>, root_bytes: u64, free: u64) -> Self {
        // With the largest clusters that are used below, so that what is rounded up fits in any case.
        let needed = parts.fold(free, |sum, part| sum.saturating_add(part.next_multiple_of(8 * SECTOR)));
        let mut size = needed.saturating_add(needed / 50).max(SMALLEST).next_multiple_of(1 << 20);
        loop {
            let layout = Self::for_size(size, root_bytes);
            let room = u64::from(layout.clusters) * layout.cluster * SECTOR;
            if room >= needed.next_multiple_of(layout.cluster * SECTOR) {
                return layout;
            }
            size += 1 << 20;
        }
    }

    fn for_size(size: u64, root_bytes: u64) -> Self {
        let is_fat32 = size >= FAT32_FROM;
        let total = size / SECTOR;
        let (reserved, root) =
            if is_fat32 { (32, 0) } else { (1, root_bytes.max(ROOT_BYTES).div_ceil(SECTOR)) };
        let mut cluster = if is_fat32 { 8 } else { 1 };
        loop {
            let width = if is_fat32 { 4 } else { 2 };
            // A table for all sectors is a little too large, which the specification allows.
            let table = ((total / cluster + 2) * width).div_ceil(SECTOR);
            let clusters = (total - reserved - root).saturating_sub(2 * table) / cluster;
            let most = if is_fat32 { 0x0fff_fff4 } else { 65_524 };
            if clusters <= most {
                let clusters = u32::try_from(clusters).unwrap_or(0);
                return Self { is_fat32, total, cluster, reserved, table, root, clusters };
            }
            cluster *= 2;
        }
    }

    pub(super) fn image_bytes(&self) -> u64 {
        self.total * SECTOR
    }

    /// Whether the root directory is a chain of clusters like any other.
    pub(super) fn root_is_chain(&self) -> bool {
        self.is_fat32
    }

    /// Where a cluster begins, in bytes; 0 is the root directory of FAT16.
    pub(super) fn place(&self, cluster: u32) -> u64 {
        let root = (self.reserved + 2 * self.table) * SECTOR;
        match cluster.checked_sub(RESERVED_CLUSTERS) {
            None => root,
            Some(index) => root + (self.root + u64::from(index) * self.cluster) * SECTOR,
        }
    }

    /// Gives `bytes` a chain of clusters that begins with `first`: adds its entries of the table and gives
    /// the first cluster after it.
    pub(super) fn chain(&self, first: u32, bytes: u64, table: &mut Vec<u32>) -> u32 {
        let count = u32::try_from(bytes.div_ceil(self.cluster * SECTOR)).unwrap_or(u32::MAX);
        let end = first.saturating_add(count);
        table.extend((first..end).map(|cluster| if cluster + 1 == end { u32::MAX } else { cluster + 1 }));
        end
    }

    /// Writes boot sector and tables. `chains` are the entries of the table from the first cluster on.
    pub(super) fn write_head(
        &self,
        output: &mut (impl Write + Seek),
        label: &[u8; 11],
        chains: &[u32],
    ) -> io::Result<()> {
        let boot = self.boot_sector(label);
        output.write_all(&boot)?;
        if self.is_fat32 {
            let info = self.info_sector(u32::try_from(chains.len()).unwrap_or(u32::MAX));
            output.write_all(&info)?;
            // The second copy of both.
            output.seek(SeekFrom::Start(6 * SECTOR))?;
            output.write_all(&boot)?;
            output.write_all(&info)?;
        }
        for copy in 0..2 {
            output.seek(SeekFrom::Start((self.reserved + copy * self.table) * SECTOR))?;
            for entry in [0xffff_fff8, u32::MAX].iter().chain(chains) {
                if self.is_fat32 {
                    output.write_all(&(entry & 0x0fff_ffff).to_le_bytes())?;
                } else {
                    output.write_all(&entry.to_le_bytes()[..2])?;
                }
            }
        }
        Ok(())
    }

    /// The first sector (fatgen103, "Boot Sector and BPB Structure").
    fn boot_sector(&self, label: &[u8; 11]) -> [u8; 512] {
        let mut sector = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        let u16_of = |number: u64| u16::try_from(number).unwrap_or(0).to_le_bytes();
        let u32_of = |number: u64| u32::try_from(number).unwrap_or(0).to_le_bytes();
        put(3, b"MSWIN4.1");
        put(11, &u16_of(SECTOR));
        put(13, &u16_of(self.cluster)[..1]);
        put(14, &u16_of(self.reserved));
        put(16, &[2]); // tables
        put(17, &u16_of(self.root * SECTOR / 32));
        put(21, &[0xf8]); // a fixed disk
        put(24, &[63, 0, 255, 0]); // the geometry nobody uses
        if self.is_fat32 || self.total > 0xffff {
            put(32, &u32_of(self.total));
        } else {
            put(19, &u16_of(self.total));
        }
        if self.is_fat32 {
            put(0, &[0xeb, 0x58, 0x90]);
            put(36, &u32_of(self.table));
            put(44, &[2, 0, 0, 0, 1, 0, 6, 0]); // root cluster, information, second copy
            put(64, &[0x80, 0, 0x29]);
            put(67, &VOLUME);
            put(71, label);
            put(82, b"FAT32   ");
        } else {
            put(0, &[0xeb, 0x3c, 0x90]);
            put(22, &u16_of(self.table));
            put(36, &[0x80, 0, 0x29]);
            put(39, &VOLUME);
            put(43, label);
            put(54, b"FAT16   ");
        }
        put(510, &[0x55, 0xaa]);
        sector
    }

    /// The second sector of FAT32: how much is free, and where to look first.
    fn info_sector(&self, used: u32) -> [u8; 512] {
        let mut sector = [0; 512];
        sector[..4].copy_from_slice(b"RRaA");
        sector[484..488].copy_from_slice(b"rrAa");
        sector[488..492].copy_from_slice(&self.clusters.saturating_sub(used).to_le_bytes());
        sector[492..496].copy_from_slice(&used.saturating_add(RESERVED_CLUSTERS).to_le_bytes());
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        sector
    }
}

//! Opening an image and finding its partitions.

use std::path::Path;

use pumice_types::FilePattern;

use super::{DiskError, Found, Region, Volume, gpt, mbr};
use crate::{Limits, compression::Compression, fat, qcow2};

/// A raw disk image.
#[derive(Clone, Debug)]
pub struct Disk {
    whole: Region,
    partitions: Vec<Partition>,
}

/// A partition of it. Its number is its place in the list, from 0, as in LAVA's `partition` (lava-compat 1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Where it lies.
    pub region: Region,
    /// What it is for, as far as the table says.
    pub kind: PartitionKind,
    /// Its name, where the table gives names.
    pub name: String,
}

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionKind {
    /// Firmware or a boot loader reads it: the EFI system partition, or one marked active or bootable.
    Boot,
    /// FAT by its type.
    Fat,
    /// Anything else.
    Other,
}

/// C12A7328-F81F-11D2-BA4B-00A0C93EC93B, as it stands in a table: the EFI system partition.
const EFI_SYSTEM: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// The attribute of a partition that a BIOS may boot (UEFI 2.10, table 5.8).
const LEGACY_BOOTABLE: u64 = 1 << 2;

impl Disk {
    /// Looks at the image at `path`.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let whole = Region::whole(path)?;
        let reader = whole.open()?;
        let mut begin = vec![0; usize::try_from(whole.length.min(512)).unwrap_or(0)];
        reader.read_exact_at(&mut begin, 0)?;
        if let Some(format) = container(&begin) {
            return Err(DiskError::NotRaw(format));
        }
        // The boot sector of a FAT file system has the signature of a partition table, and so may that of
        // any other file system.
        if fat::is_fat(&begin) {
            return Ok(Self { whole, partitions: Vec::new() });
        }
        let region = |start, length| Region { path: path.to_owned(), offset: start, length };
        let mut partitions = Vec::new();
        let entries = mbr::read(&reader)?.unwrap_or_default();
        if entries.is_empty() || entries.iter().any(|entry| entry.kind == mbr::PROTECTIVE) {
            for entry in gpt::read(&reader)?.unwrap_or_default() {
                let is_boot = entry.kind == EFI_SYSTEM || entry.attributes & LEGACY_BOOTABLE != 0;
                let kind = if is_boot { PartitionKind::Boot } else { PartitionKind::Other };
                partitions.push(Partition {
                    region: region(entry.start, entry.length),
                    kind,
                    name: entry.name,
                });
            }
        } else {
            for entry in entries {
                let kind = match entry.kind {
                    _ if entry.is_active => PartitionKind::Boot,
                    0xef => PartitionKind::Boot,
                    0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e => PartitionKind::Fat,
                    _ => PartitionKind::Other,
                };
                let region = region(entry.start, entry.length);
                partitions.push(Partition { region, kind, name: String::new() });
            }
        }
        Ok(Self { whole, partitions })
    }

    /// The partitions; none where the image is a file system by itself.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Where the file system lies that `partition` names; `None` is the image as a whole.
    pub fn region(&self, partition: Option<usize>) -> Result<Region, DiskError> {
        let count = self.partitions.len();
        match partition {
            Some(wanted) => {
                let found = self.partitions.get(wanted).ok_or(DiskError::NoPartition { wanted, count })?;
                let region = &found.region;
                if region.offset.checked_add(region.length).is_none_or(|end| end > self.whole.length) {
                    return Err(DiskError::Damaged("a partition reaches past the end of the image"));
                }
                Ok(region.clone())
            }
            None if count > 0 => Err(DiskError::IsPartitioned(count)),
            None => Ok(self.whole.clone()),
        }
    }

    /// The file system in a partition, or in the image as a whole.
    pub fn volume(&self, partition: Option<usize>) -> Result<Volume, DiskError> {
        Volume::open(&self.region(partition)?)
    }

    /// The one file that `pattern` means and the file system it is in. Without partitions the whole image is
    /// searched; otherwise the partitions are, those that firmware boots from first, and the first that has
    /// such a file decides. Partitions without a file system we read are passed over.
    pub fn find(&self, pattern: &FilePattern, limits: Limits) -> Result<(Volume, Found), DiskError> {
        if self.partitions.is_empty() {
            let mut volume = self.volume(None)?;
            let found = volume.find_one(pattern, limits)?;
            return Ok((volume, found));
        }
        let mut order: Vec<usize> = (0..self.partitions.len()).collect();
        order.sort_by_key(|index| match self.partitions[*index].kind {
            PartitionKind::Boot => 0,
            PartitionKind::Fat => 1,
            PartitionKind::Other => 2,
        });
        let mut seen = Vec::new();
        for index in order {
            let mut volume = match self.volume(Some(index)) {
                Ok(volume) => volume,
                Err(DiskError::Io(error)) => return Err(error.into()),
                Err(_) => continue,
            };
            match volume.find_one(pattern, limits) {
                Ok(found) => return Ok((volume, found)),
                Err(DiskError::NoMatch { files, .. }) => seen.extend(files),
                Err(error) => return Err(error),
            }
        }
        seen.truncate(8);
        Err(DiskError::NoMatch { pattern: pattern.clone(), files: seen })
    }
}

/// The formats people give for a raw image by mistake, by their first bytes.
fn container(begin: &[u8]) -> Option<&'static str> {
    if begin.starts_with(qcow2::MAGIC) {
        return Some("a qcow2 image");
    }
    match Compression::from_magic(begin) {
        Some(Compression::Gzip) => return Some("packed with gz"),
        Some(Compression::Xz) => return Some("packed with xz"),
        Some(Compression::Bzip2) => return Some("packed with bz2"),
        Some(Compression::Zstd) => return Some("packed with zstd"),
        Some(Compression::Zip) => return Some("a zip archive"),
        None => {}
    }
    let known = [
        (&b"\x3a\xff\x26\xed"[..], "an Android sparse image"),
        (b"KDMV", "a VMDK image"),
        (b"vhdxfile", "a VHDX image"),
        (b"070701", "a cpio archive"),
        (b"\x27\x05\x19\x56", "a U-Boot image"),
    ];
    if begin.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    known.into_iter().find(|(magic, _)| begin.starts_with(magic)).map(|(_, name)| name)
}

//! The superblock: how large the file system is, how much of it is free, and where things are.
//!
//! Source: Documentation/filesystems/ext4/super.rst of the kernel.

use super::Ext4Error;
use crate::disk::RegionReader;

/// Where the superblock stands, in bytes from the begin of the file system.
const PLACE: u64 = 1024;
/// `INCOMPAT_FILETYPE`: directories say what kind of file an entry is.
const FILE_TYPE: u32 = 0x2;
/// `INCOMPAT_RECOVER`: the journal holds what is not in place yet.
const NEEDS_RECOVERY: u32 = 0x4;
/// `INCOMPAT_64BIT`.
const HAS_64_BITS: u32 = 0x80;
/// Features without which nothing can be read: packed files, a journal that is a file system of its own,
/// descriptions of block groups in other places, contents of directories in their entries.
const UNKNOWN: u32 = 0x1 | 0x8 | 0x10 | 0x1000;

/// What we need of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks nobody uses.
    pub free_blocks: u64,
    /// Files and directories that could still be made.
    pub free_inodes: u64,
    /// The name of the volume.
    pub label: String,
    /// Its identity.
    pub uuid: [u8; 16],
    /// The journal holds what is not in place yet: the file system was not unmounted.
    pub needs_recovery: bool,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_bytes: u64,
    /// Where the descriptions of block groups begin, and how long each is.
    pub(super) groups_place: u64,
    pub(super) group_bytes: u64,
    pub(super) has_file_types: bool,
}

/// Whether an image that begins with these bytes is an ext2, ext3 or ext4 file system; 2 KiB are enough.
pub fn is_ext4(begin: &[u8]) -> bool {
    begin.get(1080..1082) == Some(&[0x53, 0xef])
}

impl Superblock {
    /// Reads the superblock of the file system that `reader` holds.
    pub fn read(reader: &RegionReader) -> Result<Self, Ext4Error> {
        let mut bytes = [0; 1024];
        if reader.length() < PLACE + 1024 {
            return Err(Ext4Error::NotExt4(": it is smaller than the smallest one"));
        }
        reader.read_exact_at(&mut bytes, PLACE)?;
        if bytes[56..58] != [0x53, 0xef] {
            return Err(Ext4Error::NotExt4(""));
        }
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let unreadable = |why: &str| Err(Ext4Error::Unreadable(why.to_owned()));
        let incompatible = u32_at(96);
        if incompatible & UNKNOWN != 0 {
            return unreadable("it has a feature that nobody uses on the disks of guests");
        }
        let is_wide = incompatible & HAS_64_BITS != 0;
        let high = |at| if is_wide { u64::from(u32_at(at)) << 32 } else { 0 };
        let block_bits = u32_at(24);
        if block_bits > 6 {
            return unreadable("its blocks are larger than 64 KiB");
        }
        let block_bytes = 1024 << block_bits;
        let is_first_revision = u32_at(76) == 0;
        let inode_bytes = if is_first_revision { 128 } else { u64::from(u16_at(88)) };
        let group_bytes = if is_wide { u64::from(u16_at(254)) } else { 32 };
        if !(128..=block_bytes).contains(&inode_bytes) || u32_at(40) == 0 || group_bytes < 32 {
            return unreadable("its tables have impossible sizes");
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[104..120]);
        let label = bytes[120..136].split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self {
            block_bytes,
            blocks: u64::from(u32_at(4)) | high(336),
            free_blocks: u64::from(u32_at(12)) | high(344),
            free_inodes: u64::from(u32_at(16)),
            label: String::from_utf8_lossy(label).into_owned(),
            uuid,
            needs_recovery: incompatible & NEEDS_RECOVERY != 0,
            inodes: u32_at(0),
            inodes_per_group: u32_at(40),
            inode_bytes,
            groups_place: (u64::from(u32_at(20)) + 1) * block_bytes,
            group_bytes,
            has_file_types: incompatible & FILE_TYPE != 0,
        })
    }
}

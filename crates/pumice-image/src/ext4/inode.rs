//! Files by number: what each is, and where its contents lie.
//!
//! Source: `group_descr.rst`, `inodes.rst` and `ifork.rst` in Documentation/filesystems/ext4 of the kernel.

use super::{Ext4Error, Superblock};
use crate::disk::RegionReader;

/// `EXT4_EXTENTS_FL`: the contents are described by extents.
const HAS_EXTENTS: u32 = 0x8_0000;
/// `EXT4_INLINE_DATA_FL`: short contents are in the inode itself.
const IS_INLINE: u32 = 0x1000_0000;
/// `EXT4_ENCRYPT_FL`.
const IS_ENCRYPTED: u32 = 0x800;
/// The first bytes of a node of the tree of extents.
const EXTENT_MAGIC: u16 = 0xf30a;
/// The deepest such tree (`EXT4_MAX_EXTENT_DEPTH`).
const DEEPEST: u16 = 5;
/// Bytes of an inode that say where the contents are.
const MAP_BYTES: usize = 60;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inode {
    /// Kind and permissions (inode(7)).
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The length of the contents.
    pub(super) bytes: u64,
    flags: u32,
    /// The map of blocks, the root of the tree of extents, or a short link target.
    map: [u8; MAP_BYTES],
}

/// Blocks of a file that lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first of them in the file system; `None` for a hole.
    pub(super) place: Option<u64>,
    /// How many; at least one.
    pub(super) blocks: u64,
}

impl Inode {
    /// Reads the inode `number`.
    pub(super) fn read(
        reader: &RegionReader,
        superblock: &Superblock,
        number: u32,
    ) -> Result<Self, Ext4Error> {
        if number == 0 || number > superblock.inodes {
            return Err(damaged("an entry of a directory names a file that cannot be"));
        }
        let group = u64::from((number - 1) / superblock.inodes_per_group);
        let index = u64::from((number - 1) % superblock.inodes_per_group);
        let mut group_bytes = [0; 64];
        let length = if superblock.group_bytes >= 64 { 64 } else { 32 };
        let place = superblock.groups_place + group * superblock.group_bytes;
        reader.read_exact_at(&mut group_bytes[..length], place)?;
        let table = u64::from(u32_at(&group_bytes, 8)) | u64::from(u32_at(&group_bytes, 40)) << 32;
        let place = table
            .checked_mul(superblock.block_bytes)
            .and_then(|table| table.checked_add(index * superblock.inode_bytes))
            .ok_or_else(|| damaged("the table of files is nowhere"))?;
        let mut bytes = [0; 128];
        reader.read_exact_at(&mut bytes, place)?;
        let mut map = [0; MAP_BYTES];
        map.copy_from_slice(&bytes[40..100]);
        Ok(Self {
            mode: u16_at(&bytes, 0),
            uid: u32::from(u16_at(&bytes, 2)) | u32::from(u16_at(&bytes, 120)) << 16,
            gid: u32::from(u16_at(&bytes, 24)) | u32::from(u16_at(&bytes, 122)) << 16,
            bytes: u64::from(u32_at(&bytes, 4)) | u64::from(u32_at(&bytes, 108)) << 32,
            flags: u32_at(&bytes, 32),
            map,
        })
    }

    fn kind(&self) -> u16 {
        self.mode & 0o170_000
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == 0o040_000
    }

    pub(super) fn is_regular(&self) -> bool {
        self.kind() == 0o100_000
    }

    pub(super) fn is_symlink(&self) -> bool {
        self.kind() == 0o120_000
    }

    /// A link target that is short enough to stand in the inode, or contents that are.
    pub(super) fn inline(&self) -> Result<Option<&[u8]>, Ext4Error> {
        if self.flags & IS_ENCRYPTED != 0 {
            return Err(Ext4Error::Unreadable("a file in it is encrypted".to_owned()));
        }
        let length = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        let is_inline = self.flags & IS_INLINE != 0;
        if is_inline && length > MAP_BYTES {
            return Err(Ext4Error::Unreadable("a file in it lies among attributes".to_owned()));
        }
        let is_short_link = self.is_symlink() && length < MAP_BYTES && self.flags & HAS_EXTENTS == 0;
        Ok((is_inline || is_short_link).then(|| &self.map[..length]))
    }

    /// Where the contents lie from the block `block` of the file on.
    pub(super) fn run(
        &self,
        reader: &RegionReader,
        superblock: &Superblock,
        block: u64,
    ) -> Result<Run, Ext4Error> {
        let block = u32::try_from(block).map_err(|_| damaged("a file is longer than a file can be"))?;
        if self.flags & HAS_EXTENTS != 0 {
            self.run_of_extents(reader, superblock, block)
        } else {
            self.run_of_blocks(reader, superblock, block)
        }
    }

    /// Looks into the tree of extents: nodes of 12-byte entries in the order of the file's blocks.
    fn run_of_extents(
        &self,
        reader: &RegionReader,
        superblock: &Superblock,
        block: u32,
    ) -> Result<Run, Ext4Error> {
        let mut node = self.map.to_vec();
        // The first block that the branch beside this one covers.
        let mut end = u64::from(u32::MAX) + 1;
        let mut above = DEEPEST + 1;
        loop {
            if u16_at(&node, 0) != EXTENT_MAGIC {
                return Err(damaged("the map of a file is none"));
            }
            let (count, depth) = (usize::from(u16_at(&node, 2)), u16_at(&node, 6));
            if depth >= above || 12 + count * 12 > node.len() {
                return Err(damaged("the map of a file contradicts itself"));
            }
            above = depth;
            let entries = || node[12..12 + count * 12].chunks_exact(12);
            let found = entries().take_while(|entry| u32_at(entry, 0) <= block).last();
            if let Some(after) = entries().find(|entry| u32_at(entry, 0) > block) {
                end = end.min(u64::from(u32_at(after, 0)));
            }
            let hole = Run { place: None, blocks: end - u64::from(block) };
            let Some(entry) = found else { return Ok(hole) };
            if depth > 0 {
                let place = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
                node = read_block(reader, superblock, place)?;
                continue;
            }
            // A length of more than 32768 means that the blocks were reserved and never written.
            let (length, is_written) = match u16_at(entry, 4) {
                length @ 0..=0x8000 => (length, true),
                length => (length - 0x8000, false),
            };
            let into = u64::from(block - u32_at(entry, 0));
            if into >= u64::from(length) {
                return Ok(hole);
            }
            let first = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
            return Ok(Run { place: is_written.then_some(first + into), blocks: u64::from(length) - into });
        }
    }

    /// Looks into the map of ext2: twelve blocks, and then blocks of numbers of blocks, up to three deep.
    fn run_of_blocks(
        &self,
        reader: &RegionReader,
        superblock: &Superblock,
        block: u32,
    ) -> Result<Run, Ext4Error> {
        let per_block = superblock.block_bytes / 4;
        let mut index = u64::from(block);
        let mut level = 0_u32;
        // How many blocks an entry of this level stands for.
        let mut span = 1;
        let mut entry = 0;
        if index < 12 {
            entry = usize::try_from(index).unwrap_or(0);
        } else {
            index -= 12;
            for deep in 1..=3 {
                span *= per_block;
                if index < span {
                    (level, entry) = (deep, 11 + deep as usize);
                    break;
                }
                index -= span;
            }
            if level == 0 {
                return Err(damaged("a file is longer than a file can be"));
            }
        }
        let mut place = u32_at(&self.map, entry * 4);
        for _ in 0..level {
            if place == 0 {
                return Ok(Run { place: None, blocks: span - index % span });
            }
            span /= per_block;
            let number = usize::try_from(index / span % per_block).unwrap_or(0);
            let numbers = read_block(reader, superblock, place.into())?;
            place = u32_at(&numbers, number * 4);
        }
        Ok(Run { place: (place != 0).then_some(place.into()), blocks: 1 })
    }
}

/// The block `block` of the file system.
fn read_block(reader: &RegionReader, superblock: &Superblock, block: u64) -> Result<Vec<u8>, Ext4Error> {
    let mut bytes = vec![0; usize::try_from(superblock.block_bytes).unwrap_or(0)];
    let place = block.checked_mul(superblock.block_bytes);
    reader.read_exact_at(&mut bytes, place.ok_or_else(|| damaged("a block is nowhere"))?)?;
    Ok(bytes)
}

pub(super) fn damaged(why: &str) -> Ext4Error {
    Ext4Error::Unreadable(why.to_owned())
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

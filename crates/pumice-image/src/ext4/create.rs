//! Making a file system.

use std::{ffi::OsString, fs::File, path::Path};

use pumice_types::ByteSize;

use super::{Ext4Error, tool, write};
use crate::{Node, Tree, disk::Region};

/// Bytes of a block. The kernel's page size, which every guest reads.
const BLOCK: u64 = 4096;
/// Bytes of an inode in the table (mke2fs.conf(5), `inode_size`).
const INODE: u64 = 256;

/// Which one of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Without a journal; for a small disk that lives as long as a job.
    Ext2,
    /// With a journal, as distributions make it.
    Ext4,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext4 => "ext4",
        }
    }

    /// The features, all of them, so that neither the host's `mke2fs.conf` nor its version decides which
    /// guests can mount it. These are those of Linux 2.6.28; a guest of 2012 knows none of the later ones.
    fn features(self) -> &'static str {
        match self {
            Self::Ext2 => "ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file",
            Self::Ext4 => {
                "ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file,has_journal,extent,\
                 huge_file,flex_bg,uninit_bg,dir_nlink,extra_isize"
            }
        }
    }
}

/// What kind of file system to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOptions {
    /// Which one of the family.
    pub kind: Kind,
    /// The name of the volume, 16 bytes at most.
    pub label: String,
    /// Its identity. Given by the caller so that the same tree gives the same image.
    pub uuid: [u8; 16],
    /// How much is to be left free for the guest.
    pub free: ByteSize,
    /// The size of the image; `None` for what the files and `free` need.
    pub size: Option<ByteSize>,
}

impl Default for CreateOptions {
    fn default() -> Self {
        Self {
            kind: Kind::Ext4,
            label: String::new(),
            uuid: [0x42; 16],
            free: ByteSize(64 << 20),
            size: None,
        }
    }
}

/// Makes the image `path`, which must not exist, with a file system that holds everything `tree` does. The
/// file is sparse: what is free takes no room on the host.
pub fn create(path: &Path, tree: &Tree, options: &CreateOptions) -> Result<(), Ext4Error> {
    let size = options.size.map_or_else(|| needed(tree, options), |size| size.0);
    let file = File::create_new(path)?;
    fill(path, &file, size, tree, options).inspect_err(|_| drop(std::fs::remove_file(path)))
}

fn fill(path: &Path, file: &File, size: u64, tree: &Tree, options: &CreateOptions) -> Result<(), Ext4Error> {
    file.set_len(size.next_multiple_of(BLOCK))?;
    let uuid = uuid_text(options.uuid);
    let arguments = [
        "-q".into(),
        "-F".into(),
        "-t".into(),
        options.kind.name().into(),
        "-b".into(),
        BLOCK.to_string().into(),
        "-I".into(),
        INODE.to_string().into(),
        "-N".into(),
        inodes(tree, size).to_string().into(),
        "-m".into(),
        "0".into(),
        "-O".into(),
        format!("none,{}", options.kind.features()).into(),
        "-L".into(),
        options.label.clone().into(),
        "-U".into(),
        uuid.clone().into(),
        format!("-Eroot_owner=0:0,nodiscard,lazy_itable_init=1,lazy_journal_init=1,hash_seed={uuid}").into(),
    ];
    let arguments: Vec<OsString> = arguments.into_iter().chain([tool::at_offset(path, 0)?]).collect();
    tool::check("mke2fs", &tool::run("mke2fs", &arguments, 0)?)?;
    if tree.is_empty() {
        return Ok(());
    }
    write(&Region::whole(path)?, tree)
}

/// How large the image must be: the files in whole blocks, the table of inodes, the journal, and a part for
/// the descriptions of groups of blocks and for directories that grow.
fn needed(tree: &Tree, options: &CreateOptions) -> u64 {
    let mut blocks = 0_u64;
    for (_, entry) in tree.iter() {
        blocks = blocks.saturating_add(match &entry.node {
            Node::File(content) => content.len().div_ceil(BLOCK),
            _ => 1,
        });
    }
    let files = blocks.saturating_mul(BLOCK).saturating_add(options.free.0);
    let tables = inodes(tree, files).saturating_mul(INODE);
    let part = files.saturating_add(tables) / 20;
    // The largest journal mke2fs makes below 16 GiB is 128 MiB, and one in 32 of what is smaller.
    let journal = if options.kind == Kind::Ext4 { (files / 32).clamp(4 << 20, 128 << 20) } else { 0 };
    files.saturating_add(tables).saturating_add(part).saturating_add(journal).saturating_add(4 << 20)
}

/// How many files there can be: those of the tree, and one for each 16 KiB as mke2fs counts.
fn inodes(tree: &Tree, size: u64) -> u64 {
    (tree.len() as u64).saturating_add(size / (16 << 10)).max(64).min(u64::from(u32::MAX))
}

fn uuid_text(uuid: [u8; 16]) -> String {
    let mut text = String::new();
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text
}

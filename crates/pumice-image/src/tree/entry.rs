//! One file of a tree.

use super::{Content, TreePath};

/// Who owns a file, who may do what with it, and since when it is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The permission bits, `0o7777` at most.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The modification time, in seconds since 1970.
    pub mtime: u64,
}

impl Meta {
    /// `mode`, owned by root, with no time: what an overlay needs, and the same in every run.
    pub fn new(mode: u32) -> Self {
        Self { mode: mode & 0o7777, uid: 0, gid: 0, mtime: 0 }
    }
}

/// The number of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

/// What kind of file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// Another name of a regular file of the same tree.
    HardLink(TreePath),
    /// A symbolic link; the target is kept as it is written.
    Symlink(Vec<u8>),
    /// A character device.
    CharacterDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
}

impl Node {
    /// The kind as it stands in `st_mode` (inode(7)).
    pub fn file_type(&self) -> u32 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharacterDevice(_) => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice(_) => 0o060_000,
            Self::File(_) | Self::HardLink(_) => 0o100_000,
            Self::Symlink(_) => 0o120_000,
        }
    }
}

/// One file of a tree: what it is and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Owner, permissions and time.
    pub meta: Meta,
    /// What it is.
    pub node: Node,
    /// Nobody asked for this directory; it is there because a file stands in it. Where the tree is laid over
    /// files that exist already, such a directory leaves an existing one as it is.
    pub implied: bool,
}

impl Entry {
    /// An entry that was asked for.
    pub fn new(meta: Meta, node: Node) -> Self {
        Self { meta, node, implied: false }
    }

    /// A directory that a file needs.
    pub(super) fn implied_directory() -> Self {
        Self { meta: Meta::new(0o755), node: Node::Directory, implied: true }
    }

    /// Kind and permissions as they stand in `st_mode` (inode(7)).
    pub fn st_mode(&self) -> u32 {
        self.node.file_type() | (self.meta.mode & 0o7777)
    }
}

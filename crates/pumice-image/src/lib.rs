//! Images: what a guest boots from, read and written in user space.
//!
//! Nothing here needs root, a mount, a loop device or a helper virtual machine. One type stands in the
//! middle: a [`Tree`] is a list of files that do not exist yet. It is filled by hand, from a host directory,
//! from a tar or a cpio archive, and written as cpio (appended to an initramfs), as tar, or into ext4 or FAT:
//!
//! ```text
//!  by hand ─┐                ┌─▶ cpio::write ─▶ initramfs::append
//!  directory ┼──▶ Tree ──────┼─▶ tar::write
//!  tar, cpio ┘               └─▶ ext4::create, ext4::Volume::write, fat::create
//! ```
//!
//! Everything that is read may be hostile: sizes, counts and names are bounded, a name cannot leave its
//! tree, and nothing panics whatever the bytes. Everything that is written is deterministic: the same tree
//! gives the same bytes.

pub mod android_sparse;
mod bounded;
mod cause;
pub mod compression;
mod copy;
pub mod cpio;
pub mod disk;
pub mod elf;
pub mod ext4;
pub mod fat;
pub mod iso9660;
pub mod peek;
pub mod qcow2;
pub mod tar;
pub mod tree;

pub use bounded::{Bounded, LimitExceeded};
pub use compression::Compression;
pub use copy::{CopyMethod, Sharing, SparseWriter, copy_view, reflink, sparse_copy};
pub use peek::Peek;
pub use tree::{Content, Device, Entry, Meta, Node, Tree, TreeError, TreePath, TreePathError};

/// How much a reader of a hostile archive takes before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members of an archive, or files of a directory.
    pub entries: u64,
    /// Bytes after decompression.
    pub bytes: u64,
}

impl Default for Limits {
    /// A million members and 64 GiB: more than any root file system that a simulator boots.
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 64 << 30 }
    }
}

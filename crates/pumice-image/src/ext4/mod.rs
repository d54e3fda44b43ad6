//! ext2, ext3 and ext4 file systems: read, made, and written into, without root and without a mount.
//!
//! Reading is done in this process. Making and writing is done by `mke2fs` and `debugfs` of e2fsprogs, the
//! programs of the people who define the format: a second writer of journals, checksums and extents would be
//! a second source of damaged file systems. They are started with fixed argument vectors and a script in a
//! file, never through a shell; they read no configuration of ours and end by themselves. Every write is
//! checked against the file system afterwards, because `debugfs` reports failures only in words.

mod create;
mod inode;
mod read;
mod script;
mod superblock;
mod tool;
mod write;

use std::io;

use pumice_types::{Blame, ByteSize, Cause};

pub use create::{CreateOptions, Kind, create};
pub use read::FileSystem;
pub use superblock::{Superblock, is_ext4};
pub use write::write;

use crate::{cause, tree::TreeError};

/// An ext4 file system cannot be read, made or written.
#[derive(Debug, thiserror::Error)]
pub enum Ext4Error {
    /// The bytes are another file system's, or none's.
    #[error("there is no ext2, ext3 or ext4 file system{0}")]
    NotExt4(&'static str),
    /// It contradicts itself or has a feature we do not know.
    #[error("the ext4 file system cannot be read: {0}")]
    Unreadable(String),
    /// There is no such file.
    #[error("there is no `{0}` in the ext4 file system")]
    NotFound(String),
    /// It holds more than we read.
    #[error("the ext4 file system has more than {0} files and directories")]
    TooMany(u64),
    /// The files do not fit.
    #[error(
        "no room in the ext4 file system: {needed} and {files} files are to be written, {free} and {free_files} files are free"
    )]
    NoRoom {
        /// Bytes to be written.
        needed: ByteSize,
        /// Bytes free.
        free: ByteSize,
        /// Files to be made.
        files: u64,
        /// Files that could be made.
        free_files: u64,
    },
    /// A file stands where a directory is needed, or the other way round.
    #[error("`{path}` cannot be written: `{obstacle}` is {found} in the file system")]
    Obstructed {
        /// The file that was to be written.
        path: String,
        /// What is in the way.
        obstacle: String,
        /// What it is, with its article.
        found: &'static str,
    },
    /// A name that `debugfs` cannot be given: one with control characters, or an image with a `?` in its path.
    #[error("`{0}` holds a character that the programs of e2fsprogs cannot take in a name")]
    Name(String),
    /// A program of e2fsprogs is not on this host.
    #[error("`{0}` is not installed on this host")]
    Missing(&'static str),
    /// A program of e2fsprogs failed.
    #[error("`{program}` failed: {message}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        message: String,
    },
    /// A file was written and is not there as it should be.
    #[error("`{0}` was written into the file system and is not there")]
    NotWritten(String),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A file of the host cannot be read or written.
    #[error("failed to read or write a file")]
    Io(#[from] io::Error),
}

impl Blame for Ext4Error {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            Self::Tree(error) => error.root_cause(),
            Self::Missing(_) | Self::Program { .. } | Self::NotWritten(_) => Cause::HostRefused,
            _ => Cause::ImageUnusable,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Missing(_) => "install the package e2fsprogs",
            Self::NoRoom { .. } => {
                "make the file system in the image larger, or let the overlay travel another way, for example \
                 as a disk of its own"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests;

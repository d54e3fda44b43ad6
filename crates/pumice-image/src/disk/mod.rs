//! Disk images: their partitions, and the files in them.
//!
//! A raw image holds a file system from its first byte, or a partition table. Both are found by looking;
//! nothing is mounted and no other program is asked.

mod gpt;
mod mbr;
mod open;
mod region;
mod volume;

use std::io;

use pumice_types::{Blame, Cause, FilePattern};

pub use open::{Disk, Partition, PartitionKind};
pub use region::{Region, RegionReader};
pub use volume::{Found, Volume};

use crate::{cause, ext4::Ext4Error, fat::FatError};

/// A disk image cannot be used as one.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// It is in a format that hides its sectors.
    #[error("it is {0}, not a raw disk image")]
    NotRaw(&'static str),
    /// There is no partition of that number.
    #[error("it has no partition {wanted}: {}", partitions_text(*.count))]
    NoPartition {
        /// The number asked for, from 0.
        wanted: usize,
        /// How many there are.
        count: usize,
    },
    /// The whole image was asked for, and it is divided.
    #[error("it is divided into {0} partitions and is no file system itself")]
    IsPartitioned(usize),
    /// Neither a partition table nor a file system we read.
    #[error("it holds {0}, not a file system we read (ext2, ext3, ext4, FAT)")]
    NoFileSystem(String),
    /// A partition table that contradicts itself.
    #[error("its partition table is damaged: {0}")]
    Damaged(&'static str),
    /// No file is meant by the pattern.
    #[error("no file in it matches `{pattern}`{}", listed(.files))]
    NoMatch {
        /// The pattern.
        pattern: FilePattern,
        /// A few of the files that are there.
        files: Vec<String>,
    },
    /// Several files are meant by the pattern.
    #[error("several files in it match `{pattern}`: {}", .files.join(", "))]
    Ambiguous {
        /// The pattern.
        pattern: FilePattern,
        /// The first few of them.
        files: Vec<String>,
    },
    /// The ext4 file system cannot be used.
    #[error(transparent)]
    Ext4(#[from] Ext4Error),
    /// The FAT file system cannot be used.
    #[error(transparent)]
    Fat(#[from] FatError),
    /// The image cannot be read, or the file taken out of it cannot be written.
    #[error("failed to read the disk image")]
    Io(#[from] io::Error),
}

fn partitions_text(count: usize) -> String {
    match count {
        0 => "it is not divided into partitions".to_owned(),
        1 => "there is only partition 0".to_owned(),
        count => format!("there are partitions 0 to {}", count - 1),
    }
}

fn listed(files: &[String]) -> String {
    if files.is_empty() { String::new() } else { format!("; there is {}", files.join(", ")) }
}

impl Blame for DiskError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            Self::Ext4(error) => error.root_cause(),
            Self::Fat(error) => error.root_cause(),
            _ => Cause::ImageUnusable,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotRaw(_) => "unpack or convert it first, for example with `qemu-img convert -O raw`",
            Self::IsPartitioned(_) => "say which with `partition`, counted from 0",
            Self::Ambiguous { .. } => "write the path of the one that is meant",
            Self::Ext4(error) => return error.hint(),
            _ => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests;

//! FAT file systems: what a boot partition holds, read without trusting it, and small ones written.
//!
//! Source: Microsoft, "FAT32 File System Specification" (fatgen103), 2000; long names in its second half.

mod boot_sector;
mod create;
mod directory;
mod layout;
mod name;
mod read;

use std::io;

use pumice_types::{Blame, Cause};

pub use boot_sector::is_fat;
pub use create::create;
pub use read::FileSystem;

use crate::cause;

/// A FAT file system cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum FatError {
    /// The first sector contradicts itself.
    #[error("the FAT file system is damaged: {0}")]
    Damaged(&'static str),
    /// There is no such file or directory.
    #[error("there is no `{0}` in the FAT file system")]
    NotFound(String),
    /// It is larger than we read.
    #[error("the FAT file system has more than {0} files and directories")]
    TooMany(u64),
    /// The tree holds what FAT cannot.
    #[error("FAT cannot hold `{path}`, which is {what}")]
    Unsupported {
        /// The entry.
        path: String,
        /// What it is, with its article.
        what: &'static str,
    },
    /// A file cannot be read or written.
    #[error("failed to read or write the FAT file system")]
    Io(#[from] io::Error),
}

impl Blame for FatError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            _ => Cause::ImageUnusable,
        }
    }
}

#[cfg(test)]
mod tests;

//! A file system in an image, whichever it is.

use std::{fs::File, io, path::Path};

use pumice_types::FilePattern;

use super::{DiskError, Region};
use crate::{Limits, ext4, fat};

/// A file system that is only read.
pub enum Volume {
    /// ext2, ext3 or ext4.
    Ext4(ext4::FileSystem),
    /// FAT12, FAT16 or FAT32.
    Fat(fat::FileSystem),
}

/// A regular file in a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path, with a leading `/`.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// How many names a message lists.
const SHOWN: usize = 8;

impl Volume {
    /// Looks which file system lies in `region`.
    pub fn open(region: &Region) -> Result<Self, DiskError> {
        let reader = region.open()?;
        let mut begin = vec![0; usize::try_from(region.length.min(66 << 10)).unwrap_or(0)];
        reader.read_exact_at(&mut begin, 0)?;
        if ext4::is_ext4(&begin) {
            Ok(Self::Ext4(ext4::FileSystem::open(region)?))
        } else if fat::is_fat(&begin) {
            Ok(Self::Fat(fat::FileSystem::open(region)?))
        } else {
            Err(DiskError::NoFileSystem(describe(&begin)))
        }
    }

    /// All regular files that `pattern` means, the nearest to the root first.
    pub fn find(&mut self, pattern: &FilePattern, limits: Limits) -> Result<Vec<Found>, DiskError> {
        let mut found = match self {
            Self::Ext4(volume) => volume.find(pattern, limits)?,
            Self::Fat(volume) => volume.find(pattern, limits)?,
        };
        found.sort_by_key(|found| (found.path.matches('/').count(), found.path.clone()));
        Ok(found)
    }

    /// The one file that `pattern` means.
    pub fn find_one(&mut self, pattern: &FilePattern, limits: Limits) -> Result<Found, DiskError> {
        let mut found = self.find(pattern, limits)?;
        match found.len() {
            0 => {
                let mut files: Vec<String> =
                    self.list("/")?.into_iter().map(|name| format!("/{name}")).collect();
                files.sort();
                files.truncate(SHOWN);
                Err(DiskError::NoMatch { pattern: pattern.clone(), files })
            }
            1 => Ok(found.remove(0)),
            _ => {
                let files = found.into_iter().take(SHOWN).map(|found| found.path).collect();
                Err(DiskError::Ambiguous { pattern: pattern.clone(), files })
            }
        }
    }

    /// The names in a directory.
    pub fn list(&mut self, path: &str) -> Result<Vec<String>, DiskError> {
        Ok(match self {
            Self::Ext4(volume) => volume.list(path)?,
            Self::Fat(volume) => volume.list(path)?,
        })
    }

    /// Copies a file out of the file system; gives its length.
    pub fn copy_out(&mut self, found: &Found, output: &mut dyn io::Write) -> Result<u64, DiskError> {
        Ok(match self {
            Self::Ext4(volume) => volume.copy_out(&found.path, output)?,
            Self::Fat(volume) => volume.copy_out(&found.path, output)?,
        })
    }

    /// Copies a file out of the file system to the file `target`, which must not exist.
    pub fn extract(&mut self, found: &Found, target: &Path) -> Result<u64, DiskError> {
        let mut file = File::options().write(true).create_new(true).open(target)?;
        self.copy_out(found, &mut file)
    }
}

/// What lies there instead, by the magic numbers of what else people boot.
fn describe(begin: &[u8]) -> String {
    let at = |place: usize, magic: &[u8]| begin.get(place..place + magic.len()) == Some(magic);
    let known = [
        (0, &b"hsqs"[..], "a squashfs file system"),
        (0, b"XFSB", "an XFS file system"),
        (65_600, b"_BHRfS_M", "a Btrfs file system"),
        (32_769, b"CD001", "an ISO 9660 file system"),
        (4_086, b"SWAPSPACE2", "swap space"),
        (536, b"LABELONE", "an LVM volume"),
        (0, b"LUKS", "an encrypted volume"),
    ];
    match known.into_iter().find(|(place, magic, _)| at(*place, magic)) {
        Some((_, _, name)) => name.to_owned(),
        None if begin.iter().all(|byte| *byte == 0) => "nothing but zeros".to_owned(),
        None => format!("data that begins with `{}`", begin[..begin.len().min(8)].escape_ascii()),
    }
}

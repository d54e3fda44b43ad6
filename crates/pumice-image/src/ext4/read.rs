//! Reading a file system that may be hostile: no size in it is believed before it is bounded.
//!
//! Source for directories: Documentation/filesystems/ext4/directory.rst of the kernel. An indexed directory
//! reads as a plain one, whose index looks like entries that are not in use.

use std::{cell::RefCell, collections::VecDeque, io::Write, rc::Rc};

use pumice_types::{FilePattern, LetterCase};

use super::{
    Ext4Error, Superblock,
    inode::{Inode, damaged, u16_at, u32_at},
};
use crate::{
    Limits,
    disk::{Found, Region, RegionReader},
};

/// Directories inside directories, at most.
const DEEPEST: usize = 128;
/// The number of the root directory.
const ROOT: u32 = 2;
/// Symbolic links followed on the way to one file (`MAXSYMLINKS`, include/linux/namei.h).
const LINKS_FOLLOWED: u32 = 40;
/// The longest target of a symbolic link (`PATH_MAX`).
const LONGEST_TARGET: u64 = 4096;
/// Bytes of a directory we read, and of a file we copy.
const LARGEST_DIRECTORY: u64 = 256 << 20;
const LARGEST_FILE: u64 = 64 << 30;
/// Directories kept in memory.
const KEPT: usize = 16;
/// Bytes read at once.
const CHUNK: u64 = 256 << 10;

/// An ext2, ext3 or ext4 file system.
///
/// It is read as it lies there: what only its journal holds is not seen.
#[derive(Debug)]
pub struct FileSystem {
    reader: RegionReader,
    superblock: Superblock,
    /// The directories looked into last, by their number, the latest first.
    recent: RefCell<VecDeque<(u32, Rc<[Entry]>)>>,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Kind and permissions (inode(7)).
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The length of a regular file, otherwise 0.
    pub(super) bytes: u64,
}

impl Standing {
    pub(super) fn is_directory(self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// An entry of a directory.
#[derive(Debug)]
struct Entry {
    inode: u32,
    /// Kind as directories write it: 1 a file, 2 a directory, 7 a symbolic link, 0 not said.
    kind: u8,
    name: Vec<u8>,
}

/// A file that was looked up: its real path and what it is.
struct Resolved {
    path: Vec<Vec<u8>>,
    number: u32,
    inode: Inode,
}

impl FileSystem {
    /// Opens the file system that lies in `region`.
    pub fn open(region: &Region) -> Result<Self, Ext4Error> {
        let reader = region.open()?;
        let superblock = Superblock::read(&reader)?;
        Ok(Self { reader, superblock, recent: RefCell::default() })
    }

    /// All regular files that `pattern` means. A symbolic link to a regular file is one, by its own name; the
    /// search does not go through links to directories. Names that are not valid UTF-8 are passed over.
    pub fn find(&self, pattern: &FilePattern, limits: Limits) -> Result<Vec<Found>, Ext4Error> {
        // A path is looked up, through whatever links lead there.
        if let Some(path) = pattern.as_path() {
            let found = self.regular(path.as_bytes())?;
            return Ok(found.map(|inode| Found { path, bytes: inode.bytes }).into_iter().collect());
        }
        let mut walk = Walk { pattern, limits, entries: 0, found: Vec::new() };
        self.walk(&mut walk, ROOT, &mut String::new(), 0)?;
        Ok(walk.found)
    }

    fn walk(
        &self,
        walk: &mut Walk<'_>,
        number: u32,
        path: &mut String,
        depth: usize,
    ) -> Result<(), Ext4Error> {
        for entry in self.entries(number)?.iter() {
            walk.entries += 1;
            if walk.entries > walk.limits.entries {
                return Err(Ext4Error::TooMany(walk.limits.entries));
            }
            let Ok(name) = std::str::from_utf8(&entry.name) else { continue };
            let before = path.len();
            path.push('/');
            path.push_str(name);
            let is_directory = match entry.kind {
                0 => self.inode(entry.inode)?.is_directory(),
                kind => kind == 2,
            };
            if is_directory {
                if depth < DEEPEST && walk.pattern.may_be_below(path, LetterCase::Sensitive) {
                    self.walk(walk, entry.inode, path, depth + 1)?;
                }
            } else if walk.pattern.matches(path, LetterCase::Sensitive)
                && let Some(inode) = self.regular(path.as_bytes())?
            {
                walk.found.push(Found { path: path.clone(), bytes: inode.bytes });
            }
            path.truncate(before);
        }
        Ok(())
    }

    /// The names in a directory.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Ext4Error> {
        let directory = self.resolve(path.as_bytes(), true)?;
        let directory = directory.filter(|it| it.inode.is_directory());
        let directory = directory.ok_or_else(|| Ext4Error::NotFound(path.to_owned()))?;
        let entries = self.entries(directory.number)?;
        Ok(entries.iter().filter_map(|entry| String::from_utf8(entry.name.clone()).ok()).collect())
    }

    /// Copies the file at `path`, or where a link there leads, to `output`; gives its length.
    pub fn copy_out(&self, path: &str, output: &mut (impl Write + ?Sized)) -> Result<u64, Ext4Error> {
        let inode = self.regular(path.as_bytes())?.ok_or_else(|| Ext4Error::NotFound(path.to_owned()))?;
        if inode.bytes > LARGEST_FILE {
            return Err(damaged("a file is longer than any we copy"));
        }
        self.copy(&inode, output)?;
        Ok(inode.bytes)
    }

    /// What stands at a path, given as bytes with a leading `/`; a link there is not followed.
    pub(super) fn standing(&self, path: &[u8]) -> Result<Option<Standing>, Ext4Error> {
        let Some(Resolved { inode, .. }) = self.resolve(path, false)? else { return Ok(None) };
        Ok(Some(Standing {
            mode: inode.mode.into(),
            uid: inode.uid,
            gid: inode.gid,
            bytes: if inode.is_regular() { inode.bytes } else { 0 },
        }))
    }

    /// The real path of the directory that `path` is or leads to; `None` when it is no directory.
    pub(super) fn directory(&self, path: &[u8]) -> Result<Option<Vec<u8>>, Ext4Error> {
        let found = self.resolve(path, true)?.filter(|found| found.inode.is_directory());
        Ok(found.map(|found| [b"/".as_slice(), &found.path.join(&b'/')].concat()))
    }

    /// The regular file that `path` is or leads to.
    fn regular(&self, path: &[u8]) -> Result<Option<Inode>, Ext4Error> {
        Ok(self.resolve(path, true)?.map(|found| found.inode).filter(Inode::is_regular))
    }

    /// Looks a path up from the root. A link that leads nowhere, or in a circle, leads to nothing.
    fn resolve(&self, path: &[u8], follows_last: bool) -> Result<Option<Resolved>, Ext4Error> {
        let split =
            |path: &[u8]| path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect::<Vec<_>>();
        let mut waiting = split(path);
        let mut parents: Vec<(u32, Inode)> = Vec::new();
        let mut names: Vec<Vec<u8>> = Vec::new();
        let root = (ROOT, self.inode(ROOT)?);
        let mut here = root.clone();
        let mut links = 0;
        while let Some(name) = waiting.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    names.pop();
                    here = parents.pop().unwrap_or(here);
                    continue;
                }
                _ if !here.1.is_directory() => return Ok(None),
                _ => {}
            }
            let entries = self.entries(here.0)?;
            let Some(entry) = entries.iter().find(|entry| entry.name == name) else { return Ok(None) };
            let next = self.inode(entry.inode)?;
            let is_last = waiting.iter().all(Vec::is_empty);
            if next.is_symlink() && (follows_last || !is_last) {
                links += 1;
                if links > LINKS_FOLLOWED {
                    return Ok(None);
                }
                let target = self.target(&next)?;
                if target.starts_with(b"/") {
                    parents.clear();
                    names.clear();
                    here = root.clone();
                }
                waiting.extend(split(&target));
                continue;
            }
            parents.push(std::mem::replace(&mut here, (entry.inode, next)));
            names.push(name);
        }
        let (number, inode) = here;
        Ok(Some(Resolved { path: names, number, inode }))
    }

    fn inode(&self, number: u32) -> Result<Inode, Ext4Error> {
        Inode::read(&self.reader, &self.superblock, number)
    }

    /// What a symbolic link names.
    fn target(&self, inode: &Inode) -> Result<Vec<u8>, Ext4Error> {
        if inode.bytes > LONGEST_TARGET {
            return Err(damaged("a symbolic link is longer than a path"));
        }
        let mut target = Vec::new();
        self.copy(inode, &mut target)?;
        Ok(target)
    }

    /// The entries of the directory `number`, without `.` and `..`.
    fn entries(&self, number: u32) -> Result<Rc<[Entry]>, Ext4Error> {
        let mut recent = self.recent.borrow_mut();
        if let Some(place) = recent.iter().position(|(known, _)| *known == number)
            && let Some(found) = recent.remove(place)
        {
            recent.push_front(found.clone());
            return Ok(found.1);
        }
        let entries: Rc<[Entry]> = self.read_entries(&self.inode(number)?)?.into();
        recent.push_front((number, Rc::clone(&entries)));
        recent.truncate(KEPT);
        Ok(entries)
    }

    fn read_entries(&self, inode: &Inode) -> Result<Vec<Entry>, Ext4Error> {
        if !inode.is_directory() || inode.bytes > LARGEST_DIRECTORY {
            return Err(damaged("a directory is none"));
        }
        let mut bytes = Vec::new();
        self.copy(inode, &mut bytes)?;
        let mut found = Vec::new();
        let block_bytes = usize::try_from(self.superblock.block_bytes).unwrap_or(usize::MAX);
        for block in bytes.chunks(block_bytes) {
            let mut rest = block;
            while rest.len() >= 8 {
                // A block of 64 KiB does not fit into 16 bits.
                let length = match usize::from(u16_at(rest, 4)) {
                    0 | 0xffff if block_bytes == 1 << 16 => rest.len(),
                    length => length,
                };
                if length < 8 || length > rest.len() {
                    return Err(damaged("an entry of a directory is longer than the directory"));
                }
                let (entry, after) = rest.split_at(length);
                rest = after;
                let (inode, name_length) = (u32_at(entry, 0), usize::from(entry[6]));
                let kind = if self.superblock.has_file_types { entry[7] } else { 0 };
                let name = entry.get(8..8 + name_length).unwrap_or_default();
                if inode != 0 && !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') {
                    found.push(Entry { inode, kind, name: name.to_vec() });
                }
            }
        }
        Ok(found)
    }

    /// Copies the contents of any file.
    fn copy(&self, inode: &Inode, output: &mut (impl Write + ?Sized)) -> Result<(), Ext4Error> {
        if let Some(bytes) = inode.inline()? {
            output.write_all(bytes)?;
            return Ok(());
        }
        let block_bytes = self.superblock.block_bytes;
        let mut buffer = vec![0; usize::try_from(CHUNK).unwrap_or(0)];
        let mut position = 0;
        while position < inode.bytes {
            let run = inode.run(&self.reader, &self.superblock, position / block_bytes)?;
            let mut left = run.blocks.saturating_mul(block_bytes).min(inode.bytes - position);
            let mut place = match run.place {
                Some(block) => {
                    Some(block.checked_mul(block_bytes).ok_or_else(|| damaged("a block is nowhere"))?)
                }
                None => None,
            };
            while left > 0 {
                let count = left.min(CHUNK);
                let part = &mut buffer[..usize::try_from(count).unwrap_or(0)];
                match &mut place {
                    Some(place) => {
                        self.reader.read_exact_at(part, *place)?;
                        *place += count;
                    }
                    None => part.fill(0),
                }
                output.write_all(part)?;
                left -= count;
                position += count;
            }
        }
        Ok(())
    }
}

/// A search in progress.
struct Walk<'a> {
    pattern: &'a FilePattern,
    limits: Limits,
    entries: u64,
    found: Vec<Found>,
}

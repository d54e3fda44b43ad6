//! Reading a file system that may be hostile.

use std::io::Write;

use pumice_types::{FilePattern, LetterCase};

use super::{
    FatError,
    boot_sector::{Geometry, Width},
    directory::{Entry, entries},
};
use crate::{
    Limits,
    disk::{Found, Region, RegionReader},
};

/// Directories inside directories, at most.
const DEEPEST: usize = 64;
/// Bytes of a directory: 65536 entries, says the specification.
const LARGEST_DIRECTORY: u64 = 65_536 * 32;

/// A FAT file system.
#[derive(Debug)]
pub struct FileSystem {
    reader: RegionReader,
    geometry: Geometry,
}

impl FileSystem {
    /// Opens the file system that lies in `region`.
    pub fn open(region: &Region) -> Result<Self, FatError> {
        let reader = region.open()?;
        let mut sector = [0; 512];
        if reader.length() < 512 {
            return Err(FatError::Damaged("it is smaller than its first sector"));
        }
        reader.read_exact_at(&mut sector, 0)?;
        let geometry = Geometry::read(&sector, reader.length())?;
        Ok(Self { reader, geometry })
    }

    /// All regular files that `pattern` means; upper and lower case are the same.
    pub fn find(&self, pattern: &FilePattern, limits: Limits) -> Result<Vec<Found>, FatError> {
        let mut walk = Walk { pattern, limits, entries: 0, found: Vec::new() };
        self.walk(&mut walk, &self.root()?, &mut String::new(), 0)?;
        Ok(walk.found)
    }

    fn walk(
        &self,
        walk: &mut Walk<'_>,
        directory: &[Entry],
        path: &mut String,
        depth: usize,
    ) -> Result<(), FatError> {
        for entry in directory {
            walk.entries += 1;
            if walk.entries > walk.limits.entries {
                return Err(FatError::TooMany(walk.limits.entries));
            }
            let before = path.len();
            path.push('/');
            path.push_str(&entry.name);
            if entry.is_directory {
                if depth < DEEPEST && walk.pattern.may_be_below(path, LetterCase::Insensitive) {
                    self.walk(walk, &self.directory(entry.cluster)?, path, depth + 1)?;
                }
            } else if walk.pattern.matches(path, LetterCase::Insensitive) {
                walk.found.push(Found { path: path.clone(), bytes: entry.bytes.into() });
            }
            path.truncate(before);
        }
        Ok(())
    }

    /// The names in a directory.
    pub fn list(&self, path: &str) -> Result<Vec<String>, FatError> {
        let entries = match self.look_up(path)? {
            None => self.root()?,
            Some(entry) if entry.is_directory => self.directory(entry.cluster)?,
            Some(_) => return Err(FatError::NotFound(path.to_owned())),
        };
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    /// Copies the file at `path` to `output`; gives its length.
    pub fn copy_out(&self, path: &str, output: &mut (impl Write + ?Sized)) -> Result<u64, FatError> {
        match self.look_up(path)? {
            Some(entry) if !entry.is_directory => {
                let bytes = u64::from(entry.bytes);
                self.copy_chain(entry.cluster, bytes, output)?;
                Ok(bytes)
            }
            _ => Err(FatError::NotFound(path.to_owned())),
        }
    }

    /// The entry at `path`; `None` for the root.
    fn look_up(&self, path: &str) -> Result<Option<Entry>, FatError> {
        let mut here: Option<Entry> = None;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let entries = match &here {
                None => self.root()?,
                Some(entry) if entry.is_directory => self.directory(entry.cluster)?,
                Some(_) => return Err(FatError::NotFound(path.to_owned())),
            };
            let is_meant = |entry: &Entry| entry.name.to_lowercase() == name.to_lowercase();
            let found = entries.into_iter().find(is_meant);
            here = Some(found.ok_or_else(|| FatError::NotFound(path.to_owned()))?);
        }
        Ok(here)
    }

    fn root(&self) -> Result<Vec<Entry>, FatError> {
        if self.geometry.width == Width::Fat32 {
            return self.directory(self.geometry.root_cluster);
        }
        let mut bytes = vec![0; usize::try_from(self.geometry.root_bytes).unwrap_or(0)];
        self.reader.read_exact_at(&mut bytes, self.geometry.root)?;
        Ok(entries(&bytes))
    }

    fn directory(&self, cluster: u32) -> Result<Vec<Entry>, FatError> {
        let mut bytes = Vec::new();
        let mut buffer = self.cluster_buffer();
        let mut next = Some(cluster);
        while let Some(cluster) = next {
            if bytes.len() as u64 >= LARGEST_DIRECTORY {
                return Err(FatError::Damaged("a directory has no end"));
            }
            self.read_cluster(cluster, &mut buffer)?;
            bytes.extend_from_slice(&buffer);
            next = self.next_cluster(cluster)?;
        }
        Ok(entries(&bytes))
    }

    /// Copies `length` bytes from the chain that begins at `cluster`. The length bounds it, so that a chain
    /// that is a circle ends as well.
    fn copy_chain(
        &self,
        cluster: u32,
        length: u64,
        output: &mut (impl Write + ?Sized),
    ) -> Result<(), FatError> {
        let mut buffer = self.cluster_buffer();
        let mut left = length;
        let mut next = Some(cluster);
        while left > 0 {
            let cluster = next.ok_or(FatError::Damaged("a file is shorter than its directory says"))?;
            self.read_cluster(cluster, &mut buffer)?;
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            output.write_all(&buffer[..count])?;
            left -= count as u64;
            next = self.next_cluster(cluster)?;
        }
        Ok(())
    }

    fn cluster_buffer(&self) -> Vec<u8> {
        vec![0; usize::try_from(self.geometry.cluster_bytes).unwrap_or(0)]
    }

    fn read_cluster(&self, cluster: u32, buffer: &mut [u8]) -> Result<(), FatError> {
        let place = self.geometry.cluster_place(cluster);
        let place = place.ok_or(FatError::Damaged("a chain leads to a cluster that is not there"))?;
        self.reader.read_exact_at(buffer, place)?;
        Ok(())
    }

    /// The cluster after this one; `None` at the end of its chain.
    fn next_cluster(&self, cluster: u32) -> Result<Option<u32>, FatError> {
        let cluster = u64::from(cluster);
        let (offset, width) = match self.geometry.width {
            Width::Fat12 => (cluster * 3 / 2, 2),
            Width::Fat16 => (cluster * 2, 2),
            Width::Fat32 => (cluster * 4, 4),
        };
        let mut bytes = [0; 4];
        self.reader.read_exact_at(&mut bytes[..width], self.geometry.table + offset)?;
        let raw = u32::from_le_bytes(bytes);
        let (next, end) = match self.geometry.width {
            Width::Fat12 if cluster % 2 == 1 => (raw >> 4, 0xff8),
            Width::Fat12 => (raw & 0xfff, 0xff8),
            Width::Fat16 => (raw, 0xfff8),
            Width::Fat32 => (raw & 0x0fff_ffff, 0x0fff_fff8),
        };
        Ok((next < end).then_some(next))
    }
}

/// A search in progress.
struct Walk<'a> {
    pattern: &'a FilePattern,
    limits: Limits,
    entries: u64,
    found: Vec<Found>,
}

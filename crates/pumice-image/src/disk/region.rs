//! A part of an image in which a file system lies.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Where a file system lies: a range of bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The image.
    pub path: PathBuf,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl Region {
    /// The whole file at `path`.
    pub fn whole(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), offset: 0, length: std::fs::metadata(path)?.len() })
    }

    /// Opens it for reading.
    pub fn open(&self) -> io::Result<RegionReader> {
        Ok(RegionReader {
            file: File::open(&self.path)?,
            offset: self.offset,
            length: self.length,
            position: 0,
        })
    }
}

/// Reads a region as if it were a file of its own; nothing outside it can be reached.
#[derive(Debug)]
pub struct RegionReader {
    file: File,
    offset: u64,
    length: u64,
    position: u64,
}

impl RegionReader {
    /// Fills `buffer` from `position`.
    pub fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let end = position.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            let message = "the image ends before what it says it holds";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        let place = self.offset.checked_add(position).ok_or(io::ErrorKind::InvalidData)?;
        self.file.read_exact_at(buffer, place)
    }

    /// The length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Read for RegionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let place = self.offset.checked_add(self.position).ok_or(io::ErrorKind::InvalidData)?;
        let count = self.file.read_at(&mut buffer[..wanted], place)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for RegionReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(delta) => self.length.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

//! Giving a second user a file without copying it, or copying only what is in it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::AsFd,
    path::Path,
};

use rustix::io::Errno;

/// Holes are made of zeros of at least this length: a block of every common file system.
const BLOCK: usize = 4096;

/// What the second user does with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Reads it.
    ReadOnly,
    /// Reads and writes it; the original must not change.
    Writable,
}

/// How a file was shared, the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyMethod {
    /// The file system shares the blocks until one of the two is written (`FICLONE`, `ioctl_ficlone(2)`).
    Reflink,
    /// A second name of the same file.
    HardLink,
    /// A copy; holes stay holes.
    Copy,
}

/// Makes `target`, which must not exist, from the file `source` in the cheapest way there is.
pub fn copy_view(source: &Path, target: &Path, sharing: Sharing) -> io::Result<CopyMethod> {
    if sharing == Sharing::ReadOnly && fs::hard_link(source, target).is_ok() {
        return Ok(CopyMethod::HardLink);
    }
    match reflink(source, target) {
        Ok(()) => return Ok(CopyMethod::Reflink),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    create(source, target, |from, to| sparse_copy(from, to).map(drop))?;
    Ok(CopyMethod::Copy)
}

/// Makes `target`, which must not exist, share the blocks of the file `source`. Where the file system cannot
/// do that there is an error, and no file.
pub fn reflink(source: &Path, target: &Path) -> io::Result<()> {
    create(source, target, |from, to| Ok(rustix::fs::ioctl_ficlone(to, from)?))
}

/// Makes `target` and fills it; when that fails it is removed again.
fn create(source: &Path, target: &Path, fill: impl FnOnce(&File, &File) -> io::Result<()>) -> io::Result<()> {
    let from = File::open(source)?;
    let to = File::options().read(true).write(true).create_new(true).open(target)?;
    fill(&from, &to).inspect_err(|_| drop(fs::remove_file(target)))
}

/// Copies `source` over `target`, an empty file, leaving out its holes. Gives the length in bytes.
pub fn sparse_copy(source: &File, target: &File) -> io::Result<u64> {
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut position = 0;
    while position < length {
        let (begin, end) = next_data(source, position, length)?;
        if begin >= length {
            break;
        }
        copy_range(source, target, begin, end.min(length))?;
        position = end;
    }
    Ok(length)
}

/// The next range that is no hole, from `position`. A file system that cannot say has no holes.
fn next_data(source: &File, position: u64, length: u64) -> io::Result<(u64, u64)> {
    use rustix::fs::{SeekFrom as Whence, seek};
    let begin = match seek(source, Whence::Data(position)) {
        Ok(begin) => begin,
        Err(Errno::NXIO) => return Ok((length, length)),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok((position, length)),
        Err(error) => return Err(error.into()),
    };
    let end = seek(source, Whence::Hole(begin))?;
    Ok((begin, end))
}

fn copy_range(source: &File, target: &File, begin: u64, end: u64) -> io::Result<()> {
    let (mut from, mut to) = (begin, begin);
    while from < end {
        let wanted = usize::try_from(end - from).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(
            source.as_fd(),
            Some(&mut from),
            target.as_fd(),
            Some(&mut to),
            wanted,
        ) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
            Ok(_) => {}
            // Across file systems, or on one that cannot do it.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                let (mut source, mut target) = (source, target);
                source.seek(SeekFrom::Start(from))?;
                target.seek(SeekFrom::Start(from))?;
                return if io::copy(&mut source.take(end - from), &mut target)? == end - from {
                    Ok(())
                } else {
                    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"))
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes a file in which runs of zeros become holes: an image of 1 GiB that is mostly empty takes no more
/// room and time than what is in it.
#[derive(Debug)]
pub struct SparseWriter<'a> {
    file: &'a File,
    position: u64,
}

impl<'a> SparseWriter<'a> {
    /// Writes to the empty `file`, from its begin.
    pub fn new(file: &'a File) -> Self {
        Self { file, position: 0 }
    }

    /// Sets the length of the file, which may end in a hole. Gives the length in bytes.
    pub fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.position)?;
        Ok(self.position)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        self.file.write_all_at(bytes, self.position)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl Write for SparseWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Blocks are counted from the begin of the file and not of the buffer. What was never written reads
        // as zeros, so that a part of a block may be left out as well.
        let into_block = usize::try_from(self.position % BLOCK as u64).unwrap_or(0);
        let mut end = bytes.len().min(BLOCK - into_block);
        let mut start = 0;
        let mut data = 0..0;
        while start < bytes.len() {
            if is_zero(&bytes[start..end]) {
                self.put(&bytes[data])?;
                self.position += (end - start) as u64;
                data = end..end;
            } else {
                data.end = end;
            }
            start = end;
            end = bytes.len().min(end + BLOCK);
        }
        self.put(&bytes[data])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_zero(block: &[u8]) -> bool {
    block.chunks(64).all(|chunk| chunk.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_copy_keeps_bytes_and_holes() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let file = File::create(path("a")).unwrap();
        let mut writer = SparseWriter::new(&file);
        writer.write_all(b"begin").unwrap();
        for _ in 0..100 {
            writer.write_all(&[0; 10_000]).unwrap();
        }
        writer.write_all(b"end").unwrap();
        writer.write_all(&vec![0; 70_000]).unwrap();
        assert_eq!(writer.finish().unwrap(), 1_070_008);
        let mut expected = b"begin".to_vec();
        expected.resize(1_000_005, 0);
        expected.extend(b"end");
        expected.resize(1_070_008, 0);
        assert_eq!(fs::read(path("a")).unwrap(), expected);

        copy_view(&path("a"), &path("b"), Sharing::Writable).unwrap();
        assert_eq!(fs::read(path("b")).unwrap(), expected);
        for name in ["a", "b"] {
            assert!(fs::metadata(path(name)).unwrap().blocks() * 512 < 200_000, "{name} has no holes");
        }
        assert!(copy_view(&path("a"), &path("b"), Sharing::Writable).is_err());
        assert_eq!(copy_view(&path("a"), &path("c"), Sharing::ReadOnly).unwrap(), CopyMethod::HardLink);
        let inode = |name| fs::metadata(path(name)).unwrap().ino();
        assert_eq!(inode("a"), inode("c"));
    }

    #[test]
    fn an_empty_file_is_copied_as_one() {
        let directory = tempfile::tempdir().unwrap();
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        File::create(&a).unwrap();
        copy_view(&a, &b, Sharing::Writable).unwrap();
        assert_eq!(fs::read(&b).unwrap(), b"");
    }
}

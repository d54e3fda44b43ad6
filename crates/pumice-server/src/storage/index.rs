//! Where each line of a log begins: eight bytes a line, least significant first, beside the log.
//!
//! The index is never trusted over the log: it is made anew when it does not fit.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use super::LogSize;

/// Bytes of an entry.
pub(super) const ENTRY: u64 = 8;

/// Makes the index of a log anew and says how long the log is.
pub(super) fn rebuild(log: &Path, index: &Path) -> io::Result<LogSize> {
    let mut file = match fs_err::File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LogSize::default()),
        Err(error) => return Err(error),
    };
    let mut entries = io::BufWriter::new(fs_err::File::create(index)?);
    let mut size = LogSize::default();
    let mut start = 0_u64;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        for end in newlines(&buffer[..count], size.bytes) {
            entries.write_all(&start.to_le_bytes())?;
            size.lines += 1;
            start = end;
        }
        size.bytes += count as u64;
    }
    entries.flush()?;
    Ok(size)
}

/// Adds the lines that `bytes`, which begin at `offset` of the log, complete. `start` is where the unfinished line
/// begins; the new such place is returned with the number of lines added.
pub(super) fn extend(index: &Path, start: u64, offset: u64, bytes: &[u8]) -> io::Result<(u64, u64)> {
    let mut entries = Vec::new();
    let mut start = start;
    let mut lines = 0;
    for end in newlines(bytes, offset) {
        entries.extend_from_slice(&start.to_le_bytes());
        start = end;
        lines += 1;
    }
    if lines > 0 {
        fs_err::OpenOptions::new().create(true).append(true).open(index)?.write_all(&entries)?;
    }
    Ok((start, lines))
}

/// Where line `number` begins; `None` when there is no such line.
pub(super) fn begin(index: &Path, number: u64) -> io::Result<Option<u64>> {
    let mut file = match fs_err::File::open(index) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(at) = number.checked_mul(ENTRY) else { return Ok(None) };
    if file.metadata()?.len() < at + ENTRY {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut entry = [0; 8];
    file.read_exact(&mut entry)?;
    Ok(Some(u64::from_le_bytes(entry)))
}

/// The places behind each newline.
fn newlines(bytes: &[u8], offset: u64) -> impl Iterator<Item = u64> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(move |(at, _)| offset + at as u64 + 1)
}

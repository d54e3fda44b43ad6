//! Android's sparse images, which `make_ext4fs` and `img2simg` write: expanded to the raw disk that a
//! simulator reads.
//!
//! Source: `system/core/libsparse/sparse_format.h` of AOSP. A header, and then chunks: blocks as they are, one
//! word repeated over blocks, blocks that nobody cares about, or a checksum. All numbers are little-endian.

use std::io::{self, Read, Write};

use pumice_types::{Blame, ByteSize, Cause};

use crate::cause;

/// The first four bytes of an image.
pub const MAGIC: [u8; 4] = [0x3a, 0xff, 0x26, 0xed];

/// Kinds of chunks.
const RAW: u16 = 0xcac1;
const FILL: u16 = 0xcac2;
const DO_NOT_CARE: u16 = 0xcac3;
const CHECKSUM: u16 = 0xcac4;

/// A sparse image cannot be expanded.
#[derive(Debug, thiserror::Error)]
pub enum SparseError {
    /// It begins like something else.
    #[error("not an Android sparse image")]
    NotSparse,
    /// It contradicts itself.
    #[error("the Android sparse image is damaged: {0}")]
    Damaged(&'static str),
    /// It is larger than allowed when expanded.
    #[error("the Android sparse image expands to {found}, which is more than {limit}")]
    TooLarge {
        /// The size it says.
        found: ByteSize,
        /// The limit.
        limit: ByteSize,
    },
    /// It cannot be read, or the result not written.
    #[error("failed to expand the Android sparse image")]
    Io(#[from] io::Error),
}

impl Blame for SparseError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            _ => Cause::ImageUnusable,
        }
    }
}

/// Writes the disk that the image `input` describes to `output`, blocks nobody cares about as zeros; use a
/// [`SparseWriter`](crate::SparseWriter) to make them holes. Gives its length, at most `limit` bytes.
/// Checksums are not compared: few programs write them.
pub fn expand(
    mut input: impl Read,
    output: &mut (impl Write + ?Sized),
    limit: ByteSize,
) -> Result<u64, SparseError> {
    let mut header = [0; 28];
    input.read_exact(&mut header)?;
    if header[..4] != MAGIC {
        return Err(SparseError::NotSparse);
    }
    let u16_at = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at =
        |bytes: &[u8], at: usize| u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16;
    if u16_at(&header, 4) != 1 {
        return Err(SparseError::Damaged("its version is not 1"));
    }
    let (header_bytes, chunk_header_bytes) = (u16_at(&header, 8), u16_at(&header, 10));
    if header_bytes < 28 || chunk_header_bytes < 12 {
        return Err(SparseError::Damaged("its headers are too short"));
    }
    let block_bytes = u64::from(u32_at(&header, 12));
    let blocks = u64::from(u32_at(&header, 16));
    let chunks = u32_at(&header, 20);
    if block_bytes == 0 || !block_bytes.is_multiple_of(4) {
        return Err(SparseError::Damaged("its blocks have an impossible size"));
    }
    let total = blocks * block_bytes;
    if total > limit.0 {
        return Err(SparseError::TooLarge { found: ByteSize(total), limit });
    }
    skip(&mut input, u64::from(header_bytes) - 28)?;
    let mut written = 0;
    for _ in 0..chunks {
        let mut chunk = [0; 12];
        input.read_exact(&mut chunk)?;
        skip(&mut input, u64::from(chunk_header_bytes) - 12)?;
        let length = u64::from(u32_at(&chunk, 4)) * block_bytes;
        let body = u64::from(u32_at(&chunk, 8)).checked_sub(chunk_header_bytes.into());
        let body = body.ok_or(SparseError::Damaged("a chunk is shorter than its header"))?;
        written += length;
        if written > total {
            return Err(SparseError::Damaged("its chunks are longer than the whole"));
        }
        match (u16_at(&chunk, 0), body) {
            (RAW, body) if body == length => {
                if io::copy(&mut input.by_ref().take(length), output)? < length {
                    return Err(SparseError::Io(io::ErrorKind::UnexpectedEof.into()));
                }
            }
            (FILL, 4) => {
                let mut word = [0; 4];
                input.read_exact(&mut word)?;
                repeat(output, word, length)?;
            }
            (DO_NOT_CARE, 0) => repeat(output, [0; 4], length)?,
            (CHECKSUM, 4) => {
                skip(&mut input, 4)?;
                written -= length;
            }
            _ => return Err(SparseError::Damaged("a chunk is of no kind there is")),
        }
    }
    repeat(output, [0; 4], total - written)?;
    Ok(total)
}

fn skip(input: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.by_ref().take(bytes), &mut io::sink())?;
    if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn repeat(output: &mut (impl Write + ?Sized), word: [u8; 4], bytes: u64) -> io::Result<()> {
    let buffer = word.repeat(16 << 10);
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        output.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An image of blocks of 8 bytes: two raw, one filled, two nobody cares about, a checksum.
    fn sample() -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
        let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
        for value in [1, 0, 28, 12] {
            half(&mut bytes, value);
        }
        for value in [8, 6, 4, 0] {
            word(&mut bytes, value);
        }
        let mut chunk = |kind, blocks, body: &[u8]| {
            half(&mut bytes, kind);
            half(&mut bytes, 0);
            word(&mut bytes, blocks);
            word(&mut bytes, 12 + u32::try_from(body.len()).unwrap());
            bytes.extend(body);
        };
        chunk(RAW, 2, b"raw block and it");
        chunk(FILL, 1, b"abcd");
        chunk(DO_NOT_CARE, 2, b"");
        chunk(CHECKSUM, 0, b"crc!");
        bytes
    }

    fn expanded(bytes: &[u8], limit: u64) -> Result<Vec<u8>, SparseError> {
        let mut output = Vec::new();
        let length = expand(bytes, &mut output, ByteSize(limit))?;
        assert_eq!(length, output.len() as u64);
        Ok(output)
    }

    #[test]
    fn an_image_becomes_the_disk_it_describes() {
        let expected = [&b"raw block and itabcdabcd"[..], &[0; 24]].concat();
        assert_eq!(expanded(&sample(), 48).unwrap(), expected);
        assert!(matches!(expanded(&sample(), 47), Err(SparseError::TooLarge { .. })));
        assert!(matches!(
            expanded(b"raw disk, which is longer than a header", 99),
            Err(SparseError::NotSparse)
        ));
        let cut = &sample()[..50];
        assert!(matches!(expanded(cut, 48), Err(SparseError::Io(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
        ) {
            let mut bytes = sample();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(disk) = expanded(&bytes, 1 << 20) {
                prop_assert!(disk.len() <= 1 << 20);
            }
        }
    }
}

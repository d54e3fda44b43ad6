//! Unpacking, as a reader.

use std::io::{self, BufRead, Read};

use super::{Compression, UnpackError};
use crate::Peek;

/// Memory an xz decoder may take for its dictionary. `xz -9` needs 65 MiB (xz(1), table of presets).
const XZ_MEMORY: u64 = 256 << 20;
/// The largest Zstandard window we hold, as a power of two: what `zstd -d` takes without `--long`
/// (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`, zstd.h).
const ZSTD_WINDOW_LOG: u32 = 27;

/// The unpacked bytes of `input`, all members one after the other. Checked at once: data that does not begin
/// like `compression` is refused before anything is read from the result.
///
/// [`Compression::Zip`] needs a file, see [`unzip`](super::unzip); here it is refused.
pub fn decode<'a>(
    compression: Compression,
    input: impl Read + 'a,
) -> Result<Box<dyn Read + 'a>, UnpackError> {
    let mut input = Peek::new(input);
    expect_magic(compression, &mut input)?;
    let failed = |error| UnpackError::Damaged(compression, error);
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Compression::Xz => Box::new(xz(input, liblzma::stream::CONCATENATED).map_err(failed)?),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd(input).map_err(failed)?),
        Compression::Zip => return Err(failed(zip_is_no_stream())),
    })
}

/// The unpacked bytes of the first member of `input`; not a byte more than that member is taken from `input`.
/// This is how a file is read in which something follows the packed part, an initramfs for example.
pub fn decode_member<'a, R: Read>(
    compression: Compression,
    input: &'a mut Peek<R>,
) -> Result<Box<dyn Read + 'a>, UnpackError> {
    expect_magic(compression, input)?;
    let failed = |error| UnpackError::Damaged(compression, error);
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::GzDecoder::new(input)),
        Compression::Xz => Box::new(xz(input, 0).map_err(failed)?),
        Compression::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd(input).map_err(failed)?.single_frame()),
        Compression::Zip => return Err(failed(zip_is_no_stream())),
    })
}

fn zip_is_no_stream() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a zip archive cannot be read as a stream")
}

fn xz<R: BufRead>(input: R, flags: u32) -> io::Result<liblzma::bufread::XzDecoder<R>> {
    let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags)?;
    Ok(liblzma::bufread::XzDecoder::new_stream(input, stream))
}

fn zstd<'a, R: BufRead>(input: R) -> io::Result<zstd::Decoder<'a, R>> {
    let mut decoder = zstd::Decoder::with_buffer(input)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

fn expect_magic<R: Read>(compression: Compression, input: &mut Peek<R>) -> Result<(), UnpackError> {
    let begin = input.peek(8).map_err(|error| UnpackError::Damaged(compression, error))?;
    if compression.begins(begin) {
        return Ok(());
    }
    let found = if begin.is_empty() { "nothing".to_owned() } else { format!("`{}`", begin.escape_ascii()) };
    Err(UnpackError::NotPacked { expected: compression, found })
}

//! Packing, as a writer. The same bytes in give the same bytes out.

use std::io::{self, Write};

use super::Compression;

/// Packs what is written to it.
pub enum Encoder<W: Write> {
    /// gzip.
    Gzip(flate2::write::GzEncoder<W>),
    /// Zstandard.
    Zstd(zstd::Encoder<'static, W>),
    /// Not packed.
    Plain(W),
}

/// Packs into `output`: gzip and Zstandard, or `None` to pass the bytes through. The others are refused with
/// [`Unsupported`](io::ErrorKind::Unsupported): nothing we make needs them.
pub fn encode<W: Write>(compression: Option<Compression>, output: W) -> io::Result<Encoder<W>> {
    Ok(match compression {
        None => Encoder::Plain(output),
        // The header holds no time and no name, so that it is the same in every run.
        Some(Compression::Gzip) => {
            Encoder::Gzip(flate2::GzBuilder::new().write(output, flate2::Compression::fast()))
        }
        Some(Compression::Zstd) => Encoder::Zstd(zstd::Encoder::new(output, 1)?),
        Some(other) => {
            let message = format!("{other} is read and not written; use gz or zstd");
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
    })
}

impl<W: Write> Encoder<W> {
    /// Writes what is left and gives the output back. Without this the packed data is incomplete.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Plain(output) => Ok(output),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Plain(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Plain(output) => output.flush(),
        }
    }
}

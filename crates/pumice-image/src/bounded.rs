//! A reader that refuses to give more than a limit: what a few kilobytes of hostile input may unpack to.

use std::io::{self, Read};

use pumice_types::ByteSize;

/// The input holds more than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds more than the limit of {limit}")]
pub struct LimitExceeded {
    /// The limit.
    pub limit: ByteSize,
}

impl LimitExceeded {
    /// The limit, if that is what stopped a read.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Reads at most `limit` bytes; the first byte past it is an error of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) that carries [`LimitExceeded`].
#[derive(Debug)]
pub struct Bounded<R> {
    input: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Bounded<R> {
    /// `input`, up to `limit` bytes.
    pub fn new(input: R, limit: u64) -> Self {
        Self { input, limit, left: limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.input.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    LimitExceeded { limit: ByteSize(self.limit) },
                )),
            };
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.input.read(&mut buffer[..wanted])?;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_past_the_limit_is_an_error() {
        let read = |limit| {
            let mut bytes = Vec::new();
            Bounded::new(&b"12345"[..], limit).read_to_end(&mut bytes).map(|_| bytes)
        };
        assert_eq!(read(5).unwrap(), b"12345");
        let error = read(4).unwrap_err();
        assert_eq!(LimitExceeded::of(&error), Some(LimitExceeded { limit: ByteSize(4) }));
    }
}

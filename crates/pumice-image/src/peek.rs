//! A buffered reader that can look ahead.

use std::io::{self, BufRead, Read};

/// How much is read at once, in bytes.
const CAPACITY: usize = 64 << 10;

/// Reads through a buffer and shows what comes next without taking it, however the bytes arrive: a header
/// that is split over two reads is still seen whole.
#[derive(Debug)]
pub struct Peek<R> {
    input: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    taken: u64,
}

impl<R: Read> Peek<R> {
    /// `input`, through a buffer.
    pub fn new(input: R) -> Self {
        Self { input, buffer: vec![0; CAPACITY].into(), start: 0, end: 0, taken: 0 }
    }

    /// The next `count` bytes, fewer only at the end of the input. At most 64 KiB.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let count = count.min(CAPACITY);
        if self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            while self.end < count && self.fill()? > 0 {}
        }
        let end = self.end.min(self.start + count);
        Ok(&self.buffer[self.start..end])
    }

    /// How many bytes were taken so far.
    pub fn position(&self) -> u64 {
        self.taken
    }

    /// Reads once more into the free end of the buffer.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> Read for Peek<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let count = ready.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Peek<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.taken += count as u64;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Gives at most `self.1` bytes at a time.
    pub(crate) struct Drip<'a>(pub &'a [u8], pub usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn what_was_peeked_is_still_there_to_be_read() {
        let mut input = Peek::new(Drip(b"abcdef", 1));
        assert_eq!(input.peek(3).unwrap(), b"abc");
        let mut two = [0; 2];
        input.read_exact(&mut two).unwrap();
        assert_eq!((&two, input.position()), (b"ab", 2));
        assert_eq!(input.peek(9).unwrap(), b"cdef");
        let mut rest = Vec::new();
        input.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"cdef");
    }
}

//! The last bytes of a stream, by their place in the whole of it.

/// At least the last `look_back` bytes of a stream, and at most twice as many and what came last.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    start: u64,
    look_back: usize,
}

impl Window {
    pub(crate) fn new(look_back: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, look_back }
    }

    /// How many bytes the stream had.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Adds what came, and forgets what is older than anybody may look back.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > 2 * self.look_back && self.bytes.len() > self.look_back {
            let excess = self.bytes.len() - self.look_back;
            self.bytes.drain(..excess);
            self.start += excess as u64;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What is there between two places.
    pub(crate) fn slice(&self, from: u64, to: u64) -> &[u8] {
        let place = |at: u64| {
            usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len())
        };
        &self.bytes[place(from).min(place(to))..place(to)]
    }

    /// The earliest place somebody who is at `at` may look back to: never before `origin`. It depends only on
    /// the stream, not on how it came.
    pub(crate) fn horizon(&self, origin: u64, at: u64) -> u64 {
        origin.max(at.saturating_sub(self.look_back as u64))
    }

    /// The byte before a place, if there is one and it is still there.
    pub(crate) fn before(&self, at: u64) -> Option<u8> {
        self.slice(at.checked_sub(1)?, at).first().copied()
    }

    /// The last `length` bytes.
    pub(crate) fn tail(&self, length: usize) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(length)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_stay_however_they_came() {
        for chunk in [1, 2, 3, 7, 50] {
            let stream: Vec<u8> = (0..200).collect();
            let mut window = Window::new(10);
            for piece in stream.chunks(chunk) {
                window.push(piece);
                let end = window.end();
                let from = end.saturating_sub(10);
                let expected = &stream[usize::try_from(from).unwrap()..usize::try_from(end).unwrap()];
                assert_eq!(window.slice(from, end), expected);
                assert!(window.bytes.len() <= 20 + chunk);
            }
            assert_eq!(window.before(200), Some(199));
            assert_eq!(window.tail(2), [198, 199]);
        }
    }

    #[test]
    fn a_place_outside_is_clipped() {
        let mut window = Window::new(4);
        window.push(b"abc");
        assert_eq!(window.slice(1, 99), b"bc");
        assert_eq!(window.slice(9, 2), b"");
        assert_eq!(window.before(0), None);
    }
}

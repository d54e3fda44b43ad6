//! From bytes to the lines of LAVA's log (lava-compat 3.3, level `target`).

use std::borrow::Cow;

/// A line longer than this is cut into pieces. LAVA gives up on a record of 100,000 characters.
pub const LINE_LIMIT_BYTES: usize = 64 * 1024;

/// Splits a stream into lines at `\r\r\n`, `\r\n` and `\n`, removes the escape byte (the rest of a terminal
/// sequence stays), and replaces what is no UTF-8. The lines depend only on the bytes, not on how they came.
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// A line that has begun.
    partial: Vec<u8>,
}

impl LineSplitter {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what has come and gives each line that is complete to `line`.
    pub fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (head, tail) = (&rest[..end], &rest[end + 1..]);
            if self.partial.is_empty() && head.len() <= LINE_LIMIT_BYTES {
                line(&clean(without_returns(head)));
            } else {
                self.extend(head, &mut line);
                let whole = std::mem::take(&mut self.partial);
                line(&clean(without_returns(&whole)));
            }
            rest = tail;
        }
        self.extend(rest, &mut line);
    }

    /// Gives out a line that has begun and has no end yet, such as a prompt, if there is one.
    pub fn flush(&mut self, mut line: impl FnMut(&str)) {
        if !self.partial.is_empty() {
            let whole = std::mem::take(&mut self.partial);
            line(&clean(without_returns(&whole)));
        }
    }

    /// Adds to the line that has begun, and gives out pieces of one that is too long.
    fn extend(&mut self, mut bytes: &[u8], line: &mut impl FnMut(&str)) {
        while self.partial.len() + bytes.len() > LINE_LIMIT_BYTES {
            let (head, tail) = bytes.split_at(LINE_LIMIT_BYTES - self.partial.len());
            self.partial.extend_from_slice(head);
            let keep = character_begun(&self.partial);
            let begun = self.partial.split_off(self.partial.len() - keep);
            line(&clean(&self.partial));
            self.partial = begun;
            bytes = tail;
        }
        self.partial.extend_from_slice(bytes);
    }
}

/// How many bytes at the end are the beginning of a character that is not complete.
fn character_begun(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    match std::str::from_utf8(tail) {
        Ok(_) => 0,
        Err(_) => (1..=tail.len())
            .find(|&length| {
                let piece = &tail[tail.len() - length..];
                std::str::from_utf8(piece)
                    .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
            })
            .unwrap_or(0),
    }
}

/// Up to two carriage returns before the line feed belong to the line's end.
fn without_returns(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The line as text.
fn clean(line: &[u8]) -> Cow<'_, str> {
    const ESCAPE: u8 = 0x1b;
    if memchr::memchr(ESCAPE, line).is_none() {
        return String::from_utf8_lossy(line);
    }
    let bytes: Vec<u8> = line.iter().copied().filter(|&byte| byte != ESCAPE).collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::new();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.feed(chunk, |line| lines.push(line.to_owned()));
        }
        splitter.flush(|line| lines.push(line.to_owned()));
        lines
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        assert_eq!(lines_of(&[bytes]), expected);
    }

    #[test]
    fn line_ends_and_escapes() {
        check(b"a\r\nb\nc\r\r\nd", &["a", "b", "c", "d"]);
        check(b"\n\r\n", &["", ""]);
        check(b"a\rb\n", &["a\rb"]);
        check(b"a\r\r\r\n", &["a\r"]);
        check(b"\x1b[1mbold\x1b[0m\n", &["[1mbold[0m"]);
        check(b"\xff\xfe ok\n", &["\u{fffd}\u{fffd} ok"]);
        check("gr\u{fc}n".as_bytes(), &["gr\u{fc}n"]);
        check(b"", &[]);
    }

    #[test]
    fn a_line_without_end_is_cut_between_characters() {
        let text = "\u{20ac}".repeat(LINE_LIMIT_BYTES);
        let lines = lines_of(&[text.as_bytes()]);
        assert!(lines.iter().all(|line| line.len() <= LINE_LIMIT_BYTES && !line.contains('\u{fffd}')));
        assert_eq!(lines.concat(), text);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_chunks(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0x1b), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0..200_usize, 0..10),
        ) {
            let whole = lines_of(&[&bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let mut from = 0;
            let chunks: Vec<&[u8]> = cuts.iter().map(|&to| &bytes[std::mem::replace(&mut from, to)..to]).collect();
            prop_assert_eq!(&lines_of(&chunks), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(lines_of(&single), whole);
        }
    }
}

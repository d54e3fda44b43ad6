//! Signals on a channel of our own: one frame a line, numbered and with a checksum, so that none can be lost
//! unnoticed (`docs/protocol/signals.md`).
//!
//! ```text
//! ~PMC 17 75061a0f TESTCASE TEST_CASE_ID=t1 RESULT=pass
//!      │  │        └ the signal, without LAVA's brackets
//!      │  └ Adler-32 of "17 TESTCASE …" in eight hexadecimal digits
//!      └ the number, from 1; number 1 is always CHANNEL and begins the numbering
//! ```

use super::{ChannelState, Received, Signal, SignalError, grammar};

/// What every frame begins with.
pub const FRAME_MARK: &str = "~PMC ";

/// The longest line that is read, in bytes. The guest's own limit is 4,000, so that one `write` to its pipe stays
/// whole (`PIPE_BUF` of Linux).
const LIMIT: usize = 8192;

/// Adler-32 (RFC 1950, section 9). Chosen because a shell without a single helper program can compute it.
pub fn adler32(bytes: &[u8]) -> u32 {
    const BASE: u32 = 65_521;
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % BASE;
        b = (b + a) % BASE;
    }
    b << 16 | a
}

/// The line, with its line feed, that carries `payload` as number `number`. For tests and for guests that are not
/// shell scripts.
pub fn encode_frame(number: u64, payload: &str) -> String {
    let checked = format!("{number} {payload}");
    format!("{FRAME_MARK}{number} {:08x} {payload}\n", adler32(checked.as_bytes()))
}

/// Reads frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Channel {
    line: Vec<u8>,
    /// Whether the rest of an overlong line is being skipped.
    skipping: bool,
    /// The number that is due; 0 before the first frame.
    expected: u64,
    /// Damaged frames since the last good one: their numbers are missed, but that was already said.
    damaged: u64,
    position: u64,
}

impl Channel {
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut Vec<Received>) {
        for &byte in bytes {
            self.position += 1;
            match byte {
                b'\n' if std::mem::take(&mut self.skipping) => {}
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    self.line(line.strip_suffix(b"\r").unwrap_or(&line), found);
                }
                _ if self.skipping => {}
                _ if self.line.len() == LIMIT => {
                    self.line.clear();
                    self.skipping = true;
                    if self.expected > 0 {
                        found.push(self.error(SignalError::TooLong { limit: LIMIT }, String::new()));
                    }
                }
                _ => self.line.push(byte),
            }
        }
    }

    fn line(&mut self, line: &[u8], found: &mut Vec<Received>) {
        let mark = FRAME_MARK.as_bytes();
        let mut marks = (0..line.len()).filter_map(|at| line[at..].strip_prefix(mark)).peekable();
        if marks.peek().is_none() {
            // A getty or firmware on the same device. If it hit a frame, the next number tells.
            return;
        }
        if let Some((number, payload)) = marks.find_map(frame) {
            self.frame(number, &payload, found);
        } else {
            self.damaged += 1;
            let line = String::from_utf8_lossy(line).into_owned();
            let shown = line.chars().take(200).collect();
            found.push(self.error(SignalError::BadChecksum { line: shown }, line));
        }
    }

    fn frame(&mut self, number: u64, payload: &str, found: &mut Vec<Received>) {
        let signal = grammar::parse(payload);
        let opens = matches!(signal, Ok(Signal::Channel(ChannelState::Open(_))));
        let expected = if opens { 1 } else { self.expected.max(1) };
        let damaged = std::mem::take(&mut self.damaged);
        if number < expected {
            found.push(self.error(SignalError::OutOfOrder { expected, got: number }, payload.to_owned()));
            return;
        }
        if number - expected > damaged {
            found.push(self.error(SignalError::Gap { expected, got: number }, String::new()));
        }
        self.expected = number.saturating_add(1);
        found.push(Received { signal, text: payload.to_owned(), end: self.position });
    }

    fn error(&self, error: SignalError, text: String) -> Received {
        Received { signal: Err(error), text, end: self.position }
    }
}

/// `NUMBER CHECKSUM PAYLOAD`; `None` when the checksum does not fit.
fn frame(text: &[u8]) -> Option<(u64, String)> {
    let mut fields = text.splitn(3, |byte| *byte == b' ');
    let (number, checksum, payload) = (fields.next()?, fields.next()?, fields.next()?);
    let checksum = std::str::from_utf8(checksum).ok().filter(|digits| digits.len() == 8)?;
    let checked = [number, b" ", payload].concat();
    let fits = u32::from_str_radix(checksum, 16).ok()? == adler32(&checked);
    let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (fits && number > 0).then(|| (number, String::from_utf8_lossy(payload).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `text` and shows what is found, one item a line.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut channel = Channel::default();
        let mut found = Vec::new();
        channel.push(text.as_bytes(), &mut found);
        let shown: Vec<_> = found
            .iter()
            .map(|received| match &received.signal {
                Ok(_) => received.text.clone(),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    fn frames(numbers: &[u64]) -> String {
        let text = |number| if number == 1 { "CHANNEL 1".to_owned() } else { format!("STARTTC c{number}") };
        numbers.iter().map(|&number| encode_frame(number, &text(number))).collect()
    }

    #[test]
    fn adler32_is_that_of_rfc_1950() {
        assert_eq!(adler32(b""), 1);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn noise_of_others_on_the_device_is_passed_over() {
        let text = format!("UEFI firmware\nguest login: {}\r\nx\n{}", frames(&[1]).trim_end(), frames(&[2]));
        check(&text, &["CHANNEL 1", "STARTTC c2"]);
    }

    #[test]
    fn a_gap_is_never_silent() {
        check(
            &frames(&[1, 2, 5]),
            &["CHANNEL 1", "STARTTC c2", "signals 3 to 4 of the channel did not arrive", "STARTTC c5"],
        );
        check(&frames(&[2]), &["signals 1 to 1 of the channel did not arrive", "STARTTC c2"]);
        check(
            &frames(&[1, 2, 2]),
            &["CHANNEL 1", "STARTTC c2", "signal 2 of the channel arrived when 3 was due"],
        );
    }

    #[test]
    fn a_damaged_frame_is_said_once() {
        let text = frames(&[1, 2, 3]).replace("c2", "c9");
        let line = encode_frame(2, "STARTTC c2").replace("c2\n", "c9");
        let damaged = format!("a signal arrived damaged on the channel: `{line}`");
        check(&text, &["CHANNEL 1", &damaged, "STARTTC c3"]);
    }

    #[test]
    fn a_new_opening_begins_the_numbering_again() {
        check(&frames(&[1, 2, 1, 2]), &["CHANNEL 1", "STARTTC c2", "CHANNEL 1", "STARTTC c2"]);
    }

    #[test]
    fn an_endless_line_costs_no_more_than_the_limit() {
        let text = format!("{}{}\n{}", frames(&[1]), "x".repeat(3 * LIMIT), frames(&[2]));
        check(&text, &["CHANNEL 1", "a line of more than 8192 bytes arrived on the channel", "STARTTC c2"]);
    }
}

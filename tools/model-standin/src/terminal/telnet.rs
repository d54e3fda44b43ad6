//! The model's end of telnet: "a subset of the telnet protocol defined in RFC 854" (`100964_1110`, 3.7.32).
//!
//! Which bytes the real component sends first is not public; the knob `negotiation` chooses.

use crate::knobs::Negotiation;

const IAC: u8 = 0xff;
const DONT: u8 = 0xfe;
const DO: u8 = 0xfd;
const WONT: u8 = 0xfc;
const WILL: u8 = 0xfb;
const SB: u8 = 0xfa;
const SE: u8 = 0xf0;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const TERMINAL_TYPE: u8 = 24;
const WINDOW_SIZE: u8 = 31;
const LINEMODE: u8 = 34;

/// What is sent when a client connects.
pub(super) fn opening(negotiation: Negotiation) -> &'static [u8] {
    match negotiation {
        Negotiation::None => &[],
        Negotiation::Standard => &[IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD],
        // Measured (reference 4.4).
        Negotiation::Qemu => {
            &[IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD, IAC, WILL, BINARY, IAC, DO, BINARY]
        }
        Negotiation::Chatty => &[
            IAC,
            WILL,
            ECHO,
            IAC,
            WILL,
            SUPPRESS_GO_AHEAD,
            IAC,
            DO,
            SUPPRESS_GO_AHEAD,
            IAC,
            DO,
            TERMINAL_TYPE,
            IAC,
            SB,
            TERMINAL_TYPE,
            1,
            IAC,
            SE,
            IAC,
            DO,
            WINDOW_SIZE,
            IAC,
            DONT,
            LINEMODE,
            IAC,
            WONT,
            LINEMODE,
            IAC,
            DO,
            BINARY,
            IAC,
            WILL,
            BINARY,
        ],
    }
}

/// Doubles 0xFF, which would else begin a command.
pub(super) fn encode(bytes: &[u8], into: &mut Vec<u8>) {
    if !bytes.contains(&IAC) {
        into.extend_from_slice(bytes);
        return;
    }
    for &byte in bytes {
        into.push(byte);
        if byte == IAC {
            into.push(IAC);
        }
    }
}

/// Where the decoder stands between two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// After CR: a NUL that follows is padding.
    Return,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// Takes the telnet commands out of what a client sends.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
}

impl Decoder {
    /// Appends the data among `bytes` to `data`, and what must be answered to `answer`.
    pub(super) fn decode(&mut self, bytes: &[u8], data: &mut Vec<u8>, answer: &mut Vec<u8>) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Data | State::Return, IAC) => State::Command,
                (State::Return, 0) | (State::SubnegotiationCommand, SE) => State::Data,
                (State::Data | State::Return, byte) => {
                    data.push(byte);
                    if byte == b'\r' { State::Return } else { State::Data }
                }
                (State::Command, IAC) => {
                    data.push(IAC);
                    State::Data
                }
                (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
                (State::Command, SB) => State::Subnegotiation,
                (State::Command, _) => State::Data,
                (State::Option(verb), option) => {
                    answer_option(verb, option, answer);
                    State::Data
                }
                (State::Subnegotiation, IAC) => State::SubnegotiationCommand,
                (State::Subnegotiation | State::SubnegotiationCommand, _) => State::Subnegotiation,
            };
        }
    }
}

/// Refuses what we did not offer. Agreement to what we offered, and refusals, need no answer (RFC 854).
fn answer_option(verb: u8, option: u8, answer: &mut Vec<u8>) {
    match verb {
        DO if !matches!(option, ECHO | SUPPRESS_GO_AHEAD | BINARY) => answer.extend([IAC, WONT, option]),
        WILL if !matches!(option, SUPPRESS_GO_AHEAD | BINARY) => answer.extend([IAC, DONT, option]),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[u8], data: &[u8], answer: &[u8]) {
        // The same whole and byte by byte: chunks must not matter.
        for size in [sent.len(), 1] {
            let (mut decoder, mut found, mut answered) = (Decoder::default(), Vec::new(), Vec::new());
            for chunk in sent.chunks(size) {
                decoder.decode(chunk, &mut found, &mut answered);
            }
            assert_eq!((found.as_slice(), answered.as_slice()), (data, answer), "in chunks of {size}");
        }
    }

    #[test]
    fn commands_are_taken_out_and_strange_options_refused() {
        check(b"ls\r\0", b"ls\r", b"");
        check(&[b'a', IAC, IAC, b'b'], &[b'a', IAC, b'b'], b"");
        check(&[IAC, DO, ECHO, IAC, DO, SUPPRESS_GO_AHEAD, b'x'], b"x", b"");
        check(&[IAC, DO, WINDOW_SIZE], b"", &[IAC, WONT, WINDOW_SIZE]);
        check(&[IAC, WILL, TERMINAL_TYPE], b"", &[IAC, DONT, TERMINAL_TYPE]);
        check(&[IAC, SB, TERMINAL_TYPE, 0, b'v', IAC, IAC, b't', IAC, SE, b'y'], b"y", b"");
        check(&[IAC, 241, b'z'], b"z", b"");
    }

    #[test]
    fn data_is_escaped() {
        let mut sent = Vec::new();
        encode(&[1, IAC, 2], &mut sent);
        assert_eq!(sent, [1, IAC, IAC, 2]);
    }
}

//! The telnet protocol, as far as a terminal port of a simulator speaks it (RFC 854, 855, 856, 857, 858).
//!
//! A byte filter: what comes in loses its commands, what goes out has 0xFF doubled. Options are answered so
//! that both sides send plain bytes: binary transmission, no go-ahead, the other side echoes. Everything else
//! is declined. A peer that never negotiates is simply a stream of bytes.

/// Interpret as command.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// Begin of a subnegotiation.
const SB: u8 = 250;
/// End of a subnegotiation.
const SE: u8 = 240;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

/// Answers that were not sent yet are kept up to this many bytes; a peer that asks and never reads gets none.
const REPLY_LIMIT_BYTES: usize = 4096;

/// Where in the protocol the next byte falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Data,
    /// After a carriage return.
    Return,
    /// After [`IAC`].
    Command,
    /// After [`WILL`] and its kin, which the next byte completes.
    Option(u8),
    /// In a subnegotiation, which is passed over.
    Negotiation,
    /// After [`IAC`] in one.
    NegotiationCommand,
}

/// Both directions of one connection.
#[derive(Debug)]
pub struct Codec {
    state: State,
    /// Whether the other side does an option, by its number.
    theirs: [bool; 256],
    /// Whether we do.
    ours: [bool; 256],
}

impl Default for Codec {
    fn default() -> Self {
        Self { state: State::Data, theirs: [false; 256], ours: [false; 256] }
    }
}

impl Codec {
    /// Filters what came: plain bytes are added to `plain`, answers to `reply`. To be called with the stream in
    /// any pieces.
    pub fn decode(&mut self, input: &[u8], plain: &mut Vec<u8>, reply: &mut Vec<u8>) {
        let mut rest = input;
        while !rest.is_empty() {
            if self.state == State::Data {
                let special = memchr::memchr2(IAC, b'\r', rest).unwrap_or(rest.len());
                plain.extend_from_slice(&rest[..special]);
                rest = &rest[special..];
            }
            let Some((&byte, tail)) = rest.split_first() else { return };
            rest = tail;
            self.state = self.take(byte, plain, reply);
        }
    }

    fn take(&mut self, byte: u8, plain: &mut Vec<u8>, reply: &mut Vec<u8>) -> State {
        match (self.state, byte) {
            (State::Data | State::Return, IAC) => State::Command,
            // A carriage return alone is sent as CR NUL where bytes are not binary (RFC 854, page 11).
            (State::Return, 0) if !self.theirs[usize::from(BINARY)] => State::Data,
            (State::Data | State::Return, _) => {
                plain.push(byte);
                if byte == b'\r' { State::Return } else { State::Data }
            }
            (State::Command, IAC) => {
                plain.push(IAC);
                State::Data
            }
            (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
            (State::Command, SB) => State::Negotiation,
            // No operation, break, are-you-there and the like carry no bytes of the console.
            (State::Command, _) | (State::NegotiationCommand, SE) => State::Data,
            (State::Option(verb), option) => {
                let answer = self.answer(verb, option);
                if reply.len() < REPLY_LIMIT_BYTES {
                    reply.extend(answer.into_iter().flatten());
                }
                State::Data
            }
            (State::Negotiation, IAC) => State::NegotiationCommand,
            (State::Negotiation | State::NegotiationCommand, _) => State::Negotiation,
        }
    }

    /// The answer to a request, if one is due. Only a change is answered, so that two sides that agree never
    /// answer each other for ever (RFC 854, page 3).
    fn answer(&mut self, verb: u8, option: u8) -> Option<[u8; 3]> {
        let wanted = match verb {
            WILL => matches!(option, BINARY | ECHO | SUPPRESS_GO_AHEAD),
            DO => matches!(option, BINARY | SUPPRESS_GO_AHEAD),
            _ => false,
        };
        let (side, yes, no) = match verb {
            WILL | WONT => (&mut self.theirs, DO, DONT),
            _ => (&mut self.ours, WILL, WONT),
        };
        let now = &mut side[usize::from(option)];
        let asked = matches!(verb, WILL | DO);
        // Something declined is declined again each time it is offered; all else is answered once.
        let is_due = *now != wanted || (asked && !wanted);
        *now = wanted;
        let verb = if wanted { yes } else { no };
        is_due.then_some([IAC, verb, option])
    }

    /// Adds what is to be sent for these bytes to `wire`.
    pub fn encode(bytes: &[u8], wire: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(special) = memchr::memchr(IAC, rest) {
            wire.extend_from_slice(&rest[..=special]);
            wire.push(IAC);
            rest = &rest[special + 1..];
        }
        wire.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut codec, mut plain, mut reply) = (Codec::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            codec.decode(chunk, &mut plain, &mut reply);
        }
        (plain, reply)
    }

    #[track_caller]
    fn check(input: &[u8], plain: &[u8], reply: &[u8]) {
        assert_eq!(decode(&[input]), (plain.to_vec(), reply.to_vec()));
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(decode(&bytes), (plain.to_vec(), reply.to_vec()), "byte by byte");
    }

    #[test]
    fn the_greeting_of_a_serial_port_is_agreed_to() {
        // What fastmodels 4.4 measured: WILL ECHO, WILL SGA, WILL BINARY, DO BINARY.
        let greeting = [255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0, b'h', b'i'];
        check(&greeting, b"hi", &[255, 253, 1, 255, 253, 3, 255, 253, 0, 255, 251, 0]);
    }

    #[test]
    fn what_is_agreed_is_not_answered_again_and_what_is_not_known_is_declined() {
        check(&[255, 251, 1, 255, 251, 1], b"", &[255, 253, 1]);
        check(&[255, 253, 24], b"", &[255, 252, 24]);
        check(&[255, 251, 34], b"", &[255, 254, 34]);
        check(&[255, 252, 34, 255, 254, 24], b"", b"");
        check(&[255, 251, 1, 255, 252, 1], b"", &[255, 253, 1, 255, 254, 1]);
    }

    #[test]
    fn commands_and_negotiations_leave_no_trace() {
        check(&[b'a', 255, 241, b'b', 255, 250, 24, 1, 255, 255, 255, 240, b'c', 255, 255], b"abc\xff", b"");
    }

    #[test]
    fn a_carriage_return_loses_its_padding_unless_binary() {
        check(b"a\r\0b\r\nc\0", b"a\rb\r\nc\0", b"");
        check(&[255, 251, 0, b'\r', 0], b"\r\0", &[255, 253, 0]);
        check(b"\r\xff\xff", b"\r\xff", b"");
    }

    #[test]
    fn a_peer_that_only_asks_gets_a_bounded_answer() {
        let flood: Vec<u8> = [255, 253, 99].repeat(100_000);
        let (plain, reply) = decode(&[&flood]);
        assert!(plain.is_empty() && reply.len() < REPLY_LIMIT_BYTES + 3);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_in_any_pieces(
            bytes in proptest::collection::vec(prop_oneof![Just(255_u8), any::<u8>()], 0..200),
            size in 1..20_usize,
        ) {
            // Binary first, so that CR NUL is two bytes.
            let mut wire = vec![IAC, WILL, BINARY];
            Codec::encode(&bytes, &mut wire);
            let chunks: Vec<&[u8]> = wire.chunks(size).collect();
            prop_assert_eq!(decode(&chunks).0, bytes);
        }

        #[test]
        fn nothing_a_peer_sends_depends_on_its_pieces(
            bytes in proptest::collection::vec(
                prop_oneof![Just(255_u8), 240..=254_u8, Just(0), Just(b'\r'), any::<u8>()], 0..200),
            size in 1..20_usize,
        ) {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(decode(&chunks), decode(&[&bytes]));
        }
    }
}

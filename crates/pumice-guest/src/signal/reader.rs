//! Bytes in any pieces to signals.

use super::{Signal, SignalError, channel::Channel, console::Console};

/// What was found in the bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The signal, or why it cannot be used.
    pub signal: Result<Signal, SignalError>,
    /// What was read, for the log: with LAVA's brackets from a console, the bare payload from a channel.
    pub text: String,
    /// How many bytes of the stream had been read when it was complete: the offset behind it.
    pub end: u64,
}

/// Reads signals from one stream. What is found never depends on how the bytes were cut into pieces, and no bytes
/// make it panic or keep more than 8 KiB.
#[derive(Clone, Debug)]
pub struct SignalReader(Inner);

#[derive(Clone, Debug)]
enum Inner {
    Console(Console),
    Channel(Channel),
}

impl SignalReader {
    /// For the text of a console.
    pub fn console() -> Self {
        Self(Inner::Console(Console::default()))
    }

    /// For a channel of our own. One reader lives as long as the machine: the numbering is followed across the
    /// test blocks of a boot.
    pub fn channel() -> Self {
        Self(Inner::Channel(Channel::default()))
    }

    /// Reads `bytes` and adds what became complete to `found`.
    pub fn push(&mut self, bytes: &[u8], found: &mut Vec<Received>) {
        match &mut self.0 {
            Inner::Console(console) => console.push(bytes, found),
            Inner::Channel(channel) => channel.push(bytes, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signal::encode_frame;

    /// Bytes that look like signals, frames, kernel messages and noise.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\r\n".to_vec()),
            Just(b"<LAVA_MULTI_NODE> <LAVA_SEND a b=c>".to_vec()),
            Just(b"<LAVA_SIG".to_vec()),
            Just(b"[   12.345678] kernel -> says\r\n".to_vec()),
            Just(b"\n".to_vec()),
            (0_u64..9, "[ -~]{0,20}").prop_map(|(number, text)| encode_frame(number, &text).into_bytes()),
            Just(encode_frame(1, "CHANNEL 1").into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..30),
        ];
        proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_found_does_not_depend_on_the_pieces(bytes in stream(), cuts in proptest::collection::vec(1_usize..40, 1..40)) {
            for fresh in [SignalReader::console(), SignalReader::channel()] {
                let mut whole = Vec::new();
                fresh.clone().push(&bytes, &mut whole);
                let (mut pieces, mut reader, mut rest) = (Vec::new(), fresh, &bytes[..]);
                for cut in cuts.iter().cycle() {
                    if rest.is_empty() { break; }
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    reader.push(piece, &mut pieces);
                    rest = after;
                }
                prop_assert_eq!(&whole, &pieces);
            }
        }
    }
}

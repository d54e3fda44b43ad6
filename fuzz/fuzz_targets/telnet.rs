//! The telnet filter of consoles that models offer on a port.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_console::telnet::Codec;

fn decode(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let (mut codec, mut plain, mut reply) = (Codec::default(), Vec::new(), Vec::new());
    for piece in pieces {
        codec.decode(piece, &mut plain, &mut reply);
    }
    (plain, reply)
}

fuzz_target!(|stream: &[u8]| {
    assert_eq!(decode(&[stream]), decode(&pumice_fuzz::pieces(stream)));
    let (mut wire, mut plain) = (Vec::new(), Vec::new());
    Codec::encode(stream, &mut wire);
    Codec::default().decode(&wire, &mut plain, &mut Vec::new());
    // A carriage return and NUL are one carriage return to a side that was not told that bytes are binary (RFC 854).
    if !stream.windows(2).any(|pair| pair == b"\r\0") {
        assert_eq!(plain, stream, "what is sent is what arrives");
    }
});

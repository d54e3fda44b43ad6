//! Signals of the guest, over a console and over a channel of our own.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_guest::{SignalReader, signal::Received};

fn read(mut reader: SignalReader, pieces: &[&[u8]]) -> Vec<Received> {
    let mut found = Vec::new();
    for piece in pieces {
        reader.push(piece, &mut found);
    }
    found
}

fuzz_target!(|stream: &[u8]| {
    let pieces = pumice_fuzz::pieces(stream);
    for reader in [SignalReader::console(), SignalReader::channel()] {
        assert_eq!(read(reader.clone(), &[stream]), read(reader, &pieces));
    }
});

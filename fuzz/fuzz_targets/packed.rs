//! Compressed downloads: gz, xz, bz2, zstd, zip, and sparse images.

#![no_main]

use std::io::{self, Cursor};

use libfuzzer_sys::fuzz_target;
use pumice_image::{
    Bounded, Compression, Peek, android_sparse,
    compression::{decode, unzip},
};
use pumice_types::ByteSize;

const LIMIT: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let _ = android_sparse::expand(bytes, &mut io::sink(), ByteSize(LIMIT));
    match Compression::from_magic(bytes) {
        None => {}
        Some(Compression::Zip) => {
            let _ = unzip(Cursor::new(bytes), "image.zip", LIMIT, &mut io::sink());
        }
        Some(compression) => {
            let mut input = Peek::new(bytes);
            if let Ok(output) = decode(compression, &mut input) {
                let _ = io::copy(&mut Bounded::new(output, LIMIT), &mut io::sink());
            }
        }
    }
});

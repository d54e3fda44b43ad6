//! Headers of qcow2 images.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use pumice_image::qcow2::Header;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = Header::read(Cursor::new(bytes)) {
        header.is_self_contained();
    }
});

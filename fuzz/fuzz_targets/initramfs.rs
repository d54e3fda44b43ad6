//! An initramfs of several archives, packed or not: where a file would land.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use pumice_image::{Limits, cpio::initramfs::skeleton};

fuzz_target!(|bytes: &[u8]| {
    let _ = skeleton(Cursor::new(bytes), Limits { entries: 1000, bytes: 1 << 20 });
});

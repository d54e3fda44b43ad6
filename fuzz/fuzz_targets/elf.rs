//! ELF files: what a model is asked to load.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_image::elf::Elf;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(elf) = Elf::parse(bytes) {
        elf.load_range();
    }
});

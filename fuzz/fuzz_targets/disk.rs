//! Disks with partitions by MBR and GPT, bare or not, of whatever kind is inside.

#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;
use pumice_image::{Limits, disk::Disk};
use pumice_types::FilePattern;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file");
    file.write_all(bytes).expect("the disk");
    // Room for what a header points at; only the begin is given.
    file.as_file().set_len(1 << 20).expect("the length");
    let Ok(disk) = Disk::open(file.path()) else { return };
    let pattern: FilePattern = "boot/*".parse().expect("a pattern");
    let _ = disk.find(&pattern, Limits { entries: 1000, bytes: 1 << 20 });
    for partition in 0..disk.partitions().len() {
        let _ = disk.region(Some(partition));
    }
});

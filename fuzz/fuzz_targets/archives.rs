//! cpio and tar archives, and what our writers make of what was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_image::{Limits, cpio, tar, tar::LinkPolicy};

const LIMITS: Limits = Limits { entries: 1000, bytes: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tree) = cpio::Reader::new(bytes, LIMITS).into_tree() {
        let mut written = Vec::new();
        if cpio::write(&tree, &mut written).is_ok() {
            let again = cpio::Reader::new(written.as_slice(), Limits::default()).into_tree();
            assert_eq!(again.expect("our own archive").len(), tree.len());
        }
    }
    for links in [LinkPolicy::Inside, LinkPolicy::GuestRoot] {
        let Ok(tree) = tar::read(bytes, links, LIMITS) else { continue };
        let mut written = Vec::new();
        if tar::write(&tree, &mut written).is_ok() {
            let again = tar::read(written.as_slice(), links, Limits::default());
            assert_eq!(again.expect("our own archive").len(), tree.len());
        }
    }
});

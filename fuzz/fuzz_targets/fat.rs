//! A FAT file system: looked through and read from.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pumice_fuzz::{FILE_LIMITS, Image, tree};
use pumice_image::{
    disk::Region,
    fat::{FileSystem, create},
};
use pumice_types::{ByteSize, FilePattern};

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    Image::new(|path| {
        create(path, &tree(), "FUZZ", ByteSize(64 << 10)).expect("an image");
    })
});

fuzz_target!(|input: &[u8]| {
    IMAGE.damaged(input, |path| {
        let region = Region::whole(path).expect("the image");
        let Ok(system) = FileSystem::open(&region) else { return };
        let pattern: FilePattern = "**/*".parse().expect("a pattern");
        for found in system.find(&pattern, FILE_LIMITS).unwrap_or_default() {
            let _ = system.copy_out(&found.path, &mut std::io::sink());
        }
        let _ = system.list("/boot");
    });
});

//! A FAT file system: looked through and read from.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pumice_fuzz::Image;
use pumice_image::{
    Limits, Pattern, Tree,
    disk::Region,
    fat::{FileSystem, create},
};
use pumice_types::ByteSize;

const LIMITS: Limits = Limits { entries: 1000, bytes: 1 << 20 };

fn tree() -> Tree {
    let mut tree = Tree::new();
    tree.directory("boot", 0o755).expect("a directory");
    tree.file("boot/Image", 0o644, vec![7; 9000]).expect("a file");
    tree.file("etc/a-long-name-that-needs-more-than-one-entry", 0o600, b"text").expect("a file");
    tree
}

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    Image::new(|path| {
        create(path, &tree(), "FUZZ", ByteSize(64 << 10)).expect("an image");
    })
});

fuzz_target!(|input: &[u8]| {
    IMAGE.damaged(input, |path| {
        let region = Region::whole(path).expect("the image");
        let Ok(system) = FileSystem::open(&region) else { return };
        let pattern: Pattern = "**/*".parse().expect("a pattern");
        for found in system.find(&pattern, LIMITS).unwrap_or_default() {
            let _ = system.copy_out(&found.path, &mut std::io::sink());
        }
        let _ = system.list("/boot");
    });
});

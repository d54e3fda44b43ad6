//! The files of the file systems that are damaged.

use pumice_image::{Limits, Tree};

/// How much is looked through in a damaged file system.
pub const FILE_LIMITS: Limits = Limits { entries: 1000, bytes: 1 << 20 };

/// A few files: one over several blocks, one with a name that needs more than one entry.
///
/// # Panics
/// Never: the names are right.
pub fn tree() -> Tree {
    let mut tree = Tree::new();
    tree.directory("boot", 0o755).expect("a directory");
    tree.file("boot/Image", 0o644, vec![7; 9000]).expect("a file");
    tree.file("etc/a-long-name-that-needs-more-than-one-entry", 0o600, b"text").expect("a file");
    tree
}

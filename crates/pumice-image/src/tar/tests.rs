use std::fs;

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::{Device, Entry, Limits, Meta, Node, Tree, TreePath};

fn sample() -> Tree {
    let mut tree = Tree::new();
    tree.directory("bin", 0o755).unwrap();
    tree.file("bin/sh", 0o4755, "#!shell").unwrap().symlink("sh", "bin/sh").unwrap();
    tree.file("x/".repeat(60) + "long", 0o600, "deep").unwrap();
    tree.character_device("dev/console", 0o600, Device { major: 5, minor: 1 }).unwrap();
    let link = Node::HardLink(TreePath::new("bin/sh").unwrap());
    let meta = Meta { mode: 0o4755, uid: 7, gid: 8, mtime: 1_700_000_000 };
    tree.insert(&TreePath::new("ash").unwrap(), Entry::new(meta, link)).unwrap();
    tree
}

fn archive(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(tree, &mut bytes).unwrap();
    bytes
}

fn read_bytes(bytes: &[u8]) -> Result<Tree, TarError> {
    read(bytes, LinkPolicy::Inside, Limits::default())
}

/// An archive with one member, as a hostile program would write it.
fn hostile(name: &str, kind: EntryType, target: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, io::empty()).unwrap();
    builder.into_inner().unwrap()
}

/// As it was, but every directory was asked for: an archive cannot say otherwise.
fn explicit(tree: &Tree) -> Tree {
    let mut copy = Tree::new();
    let is_link = |entry: &Entry| matches!(entry.node, Node::HardLink(_));
    for wanted in [false, true] {
        for (path, entry) in tree.iter().filter(|(_, entry)| is_link(entry) == wanted) {
            copy.insert(path, Entry { implied: false, ..entry.clone() }).unwrap();
        }
    }
    copy
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let tree = sample();
    let bytes = archive(&tree);
    assert_eq!(bytes, archive(&tree));
    assert_eq!(read_bytes(&bytes).unwrap(), explicit(&tree));
}

#[test]
fn files_of_an_archive_on_disk_are_ranges_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rootfs.tar");
    fs::write(&path, archive(&sample())).unwrap();
    let tree = read_file(&path, LinkPolicy::GuestRoot, Limits::default()).unwrap();
    let entry = tree.get(&TreePath::new("bin/sh").unwrap()).unwrap();
    let Node::File(content @ crate::Content::Range { .. }) = &entry.node else { panic!("{entry:?}") };
    assert_eq!(content.to_vec().unwrap(), b"#!shell");
    // Written again it is the same archive.
    assert_eq!(archive(&tree), archive(&sample()));
}

#[test]
fn names_and_links_that_leave_the_archive_are_refused() {
    let check = |bytes: &[u8], expected: &str| {
        assert_eq!(read_bytes(bytes).unwrap_err().to_string(), expected);
    };
    check(
        &hostile("../../etc/cron.d/x", EntryType::Regular, ""),
        "the path `../../etc/cron.d/x` leaves its tree through `..`",
    );
    check(
        &hostile("/etc/passwd", EntryType::Regular, ""),
        "the tar archive names `/etc/passwd`, which is absolute; names must be relative to the root of the \
         archive",
    );
    check(
        &hostile("a/b", EntryType::Symlink, "../../etc"),
        "the tar archive links `/a/b` to `../../etc`, which is outside the archive",
    );
    check(
        &hostile("a", EntryType::Symlink, "/etc"),
        "the tar archive links `/a` to `/etc`, which is outside the archive",
    );
    check(&hostile("a", EntryType::Link, "../secret"), "the path `../secret` leaves its tree through `..`");
    check(&hostile("a", EntryType::new(b'!'), ""), "the tar archive holds `a` of the unknown kind `!`");
    let absolute = hostile("a", EntryType::Symlink, "/bin/sh");
    assert!(read(&absolute[..], LinkPolicy::GuestRoot, Limits::default()).is_ok());
}

#[test]
fn nothing_is_written_through_a_link() {
    let two = |first: Vec<u8>, second: Vec<u8>| [&first[..512], &second[..512], &[0; 1024]].concat();
    let bytes = two(hostile("a", EntryType::Symlink, "b"), hostile("a/x", EntryType::Regular, ""));
    let tree = read_bytes(&bytes).unwrap();
    let paths: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(paths, ["/a", "/b", "/b/x"]);
}

#[test]
fn limits_hold() {
    let bytes = archive(&sample());
    let error = |limits| read(&bytes[..], LinkPolicy::Inside, limits).unwrap_err().to_string();
    assert_eq!(error(Limits { entries: 2, ..Limits::default() }), "the tar archive has more than 2 members");
    assert_eq!(error(Limits { bytes: 8, ..Limits::default() }), "the tar archive has more than 8 bytes");
}

#[test]
fn what_is_damaged_is_the_images_fault() {
    let bytes = archive(&sample());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.tar");
    for length in [100, 600, 1028] {
        fs::write(&path, &bytes[..length]).unwrap();
        for error in [
            read_bytes(&bytes[..length]).unwrap_err(),
            read_file(&path, LinkPolicy::Inside, Limits::default()).unwrap_err(),
        ] {
            assert_eq!(error.root_cause(), Cause::ImageUnusable, "{length}: {error:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = archive(&sample());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let limits = Limits { entries: 100, bytes: 1 << 20 };
        let _ = read(&bytes[..], LinkPolicy::Inside, limits);
    }
}

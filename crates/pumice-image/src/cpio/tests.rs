use std::{
    fs,
    io::{Cursor, Read, Write},
};

use proptest::prelude::*;

use super::*;
use crate::{
    Compression, Device, Entry, Limits, Meta, Node, Tree, TreePath,
    compression::encode,
    cpio::initramfs::{Placement, append, skeleton},
};

fn sample() -> Tree {
    let mut tree = Tree::new();
    tree.directory("bin", 0o755).unwrap();
    tree.file("bin/sh", 0o4755, "#!shell").unwrap();
    tree.symlink("init", "bin/sh").unwrap();
    tree.character_device("dev/console", 0o600, Device { major: 5, minor: 1 }).unwrap();
    let link = Node::HardLink(TreePath::new("bin/sh").unwrap());
    for name in ["bin/ash", "bin/dash"] {
        let entry = Entry::new(Meta::new(0o4755), link.clone());
        tree.insert(&TreePath::new(name).unwrap(), entry).unwrap();
    }
    let meta = Meta { mode: 0o1777, uid: 7, gid: 8, mtime: 1_700_000_000 };
    tree.insert(&TreePath::new("tmp").unwrap(), Entry::new(meta, Node::Directory)).unwrap();
    tree
}

fn archive(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(tree, &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Tree, CpioError> {
    Reader::new(bytes, Limits::default()).into_tree()
}

/// What every reader must do with a tree: the same files, whichever name of a file counts as the first.
fn listing(tree: &Tree) -> Vec<(String, u32, u32, u64, Vec<u8>)> {
    let contents = |node: &Node| match node {
        Node::File(content) => content.to_vec().unwrap(),
        Node::Symlink(target) => target.clone(),
        _ => Vec::new(),
    };
    tree.iter()
        .map(|(path, entry)| {
            let node = match &entry.node {
                Node::HardLink(target) => &tree.get(target).unwrap().node,
                node => node,
            };
            (path.to_string(), entry.st_mode(), entry.meta.uid, entry.meta.mtime, contents(node))
        })
        .collect()
}

#[test]
fn the_first_header_is_what_the_format_says() {
    let mut tree = Tree::new();
    tree.file("a", 0o644, "xyz").unwrap();
    let bytes = archive(&tree);
    let expected = "070701000000010000\
                    81a4000000000000000000000001000000000000000300000000000000000000000000000000\
                    0000000200000000a\0xyz\x00070701";
    assert_eq!(String::from_utf8_lossy(&bytes[..122]), expected);
    assert_eq!(bytes.len() % 4, 0);
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let tree = sample();
    let bytes = archive(&tree);
    assert_eq!(bytes, archive(&tree));
    assert_eq!(listing(&read(&bytes).unwrap()), listing(&tree));
}

#[test]
fn the_last_name_of_a_file_carries_the_contents() {
    let bytes = archive(&sample());
    let mut reader = Reader::new(&bytes[..], Limits::default());
    let mut found = Vec::new();
    while let Some(header) = reader.next_entry().unwrap() {
        if header.links > 1 && header.mode & 0o170_000 == 0o100_000 {
            found.push((String::from_utf8(header.name).unwrap(), header.inode, header.size));
        }
    }
    assert_eq!(
        found,
        [("bin/ash".to_owned(), 2, 0), ("bin/dash".to_owned(), 2, 0), ("bin/sh".to_owned(), 2, 7)]
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let check = |bytes: &[u8], expected: &str| assert_eq!(read(bytes).unwrap_err().to_string(), expected);
    check(&[b'x'; 200], "not a cpio archive in the newc form: byte 0 begins with `xxxxxx`");
    let mut damaged = archive(&sample());
    damaged[20] = b'+';
    check(&damaged, "the cpio header at byte 0 is damaged");
    let escape = |name: &str| {
        let header = Header { name: name.as_bytes().to_vec(), mode: 0o100_644, ..Header::default() };
        [header.encode(), name.as_bytes().to_vec(), vec![0; 8]].concat()
    };
    check(&escape("../../etc/passwd"), "the path `../../etc/passwd` leaves its tree through `..`");
    let cut = archive(&sample());
    assert!(matches!(read(&cut[..cut.len() / 2]), Err(CpioError::Io(_))));
    let limits = Limits { entries: 2, bytes: 1 << 20 };
    let error = Reader::new(&cut[..], limits).into_tree().unwrap_err();
    assert_eq!(error.to_string(), "the cpio archive has more than 2 members");
}

#[test]
fn a_declared_size_takes_no_memory() {
    let header = Header { name: b"a".to_vec(), mode: 0o100_644, size: u32::MAX, ..Header::default() };
    let bytes = [&header.encode()[..], b"a\0abcd"].concat();
    assert!(matches!(read(&bytes), Err(CpioError::Io(_))));
}

const AMONG_OTHERS: Placement = Placement::AmongOthers(Limits { entries: 10_000, bytes: 1 << 20 });

/// An initramfs as distributions make it: an archive for the processor, padding, the packed rest.
fn distribution_initramfs(rest: &Tree, compression: Option<Compression>) -> Vec<u8> {
    let mut early = Tree::new();
    early.file("kernel/x86/microcode/GenuineIntel.bin", 0o644, "microcode").unwrap();
    let mut bytes = archive(&early);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let mut encoder = encode(compression, Vec::new()).unwrap();
    encoder.write_all(&archive(rest)).unwrap();
    encoder.write_all(&[0; 100]).unwrap();
    bytes.extend(encoder.finish().unwrap());
    bytes
}

/// Appends and gives what the second archive holds.
fn appended(
    base: &[u8],
    overlay: &Tree,
    compression: Option<Compression>,
    placement: Placement,
) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("initrd");
    fs::write(&path, base).unwrap();
    let added = append(&path, overlay, compression, placement).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[..base.len()], base, "the image itself is untouched");
    assert_eq!(bytes.len() as u64, base.len() as u64 + added);
    assert_eq!(bytes.len() % 4, 0);
    let begin = base.len().next_multiple_of(4);
    let mut plain = Vec::new();
    match compression {
        Some(compression) => {
            let mut part = crate::Peek::new(&bytes[begin..]);
            crate::compression::decode_member(compression, &mut part)
                .unwrap()
                .read_to_end(&mut plain)
                .unwrap();
        }
        None => plain.extend_from_slice(&bytes[begin..]),
    }
    let mut reader = Reader::new(&plain[..], Limits::default());
    let mut names = Vec::new();
    while let Some(header) = reader.next_entry().unwrap() {
        names.push(String::from_utf8(header.name).unwrap());
    }
    names
}

#[test]
fn an_overlay_of_its_own_directory_is_appended_without_reading_the_image() {
    let mut overlay = Tree::new();
    overlay.directory("lava-1", 0o755).unwrap().file("lava-1/run", 0o755, "#!/bin/sh\n").unwrap();
    for compression in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
        // lz4 cannot be read here, and need not be.
        let names =
            appended(b"\x02\x21\x4c\x18 packed by lz4", &overlay, compression, Placement::OwnDirectories);
        assert_eq!(names, ["lava-1", "lava-1/run"]);
    }
}

#[test]
fn an_overlay_among_other_files_is_fitted_to_the_image() {
    let mut base = Tree::new();
    base.directory("usr/bin", 0o755).unwrap().symlink("bin", "usr/bin").unwrap();
    base.directory("tmp", 0o1777).unwrap().file("usr/bin/sh", 0o755, "x").unwrap();
    let mut overlay = Tree::new();
    overlay.file("bin/tool", 0o755, "").unwrap().file("tmp/x", 0o644, "").unwrap();
    // As a tar archive says it, which names every directory.
    overlay.directory("bin", 0o700).unwrap().file("opt/new", 0o644, "").unwrap();
    for packing in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
        let image = distribution_initramfs(&base, packing);
        let names = appended(&image, &overlay, None, AMONG_OTHERS);
        assert_eq!(names, ["opt", "opt/new", "tmp/x", "usr/bin/tool"], "{packing:?}");
    }
}

#[test]
fn what_is_no_initramfs_is_refused_by_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("initrd");
    let mut overlay = Tree::new();
    overlay.directory("lava-1", 0o755).unwrap();
    let check = |bytes: &[u8], expected: &str| {
        fs::write(&path, bytes).unwrap();
        let error = append(&path, &overlay, None, AMONG_OTHERS).unwrap_err();
        assert_eq!(error.to_string(), format!("it is not an initramfs: {expected}"));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    };
    check(b"", "it is empty");
    check(b"<html>", "it begins with `<html>`");
    check(b"PK\x03\x04 and so on", "it begins with `PK\\x03\\x04 and`");
    let mut ext4 = vec![0; 4096];
    ext4[1080..1082].copy_from_slice(&[0x53, 0xef]);
    check(&ext4, "it is an ext2, ext3 or ext4 file system");
    check(b"\x27\x05\x19\x56rest", "it has a U-Boot header; give the initramfs that is inside");
    overlay.file("etc/x", 0o644, "").unwrap();
    fs::write(&path, b"\x02\x21\x4c\x18 packed by lz4").unwrap();
    let error = append(&path, &overlay, None, AMONG_OTHERS).unwrap_err();
    assert!(error.to_string().starts_with("it is packed with lz4, which we do not read"), "{error}");
}

fn tree_strategy() -> impl Strategy<Value = Tree> {
    let file = ("[a-c]{1,3}(/[a-c]{1,2}){0,3}", 0_u32..0o10000, prop::collection::vec(any::<u8>(), 0..70));
    prop::collection::vec(file, 0..20).prop_map(|files| {
        let mut tree = Tree::new();
        for (index, (path, mode, contents)) in files.into_iter().enumerate() {
            let _ = match index % 4 {
                0 => tree.directory(path, mode),
                1 => tree.symlink(path, &b"to/nowhere"[..]),
                _ => tree.file(path, mode, contents),
            };
        }
        tree
    })
}

proptest! {
    #[test]
    fn any_tree_comes_back(tree in tree_strategy()) {
        let bytes = archive(&tree);
        prop_assert_eq!(listing(&read(&bytes).unwrap()), listing(&tree));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        tree in tree_strategy(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = archive(&tree);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let limits = Limits { entries: 100, bytes: 1 << 20 };
        let _ = Reader::new(&bytes[..], limits).into_tree();
        let _ = skeleton(Cursor::new(&bytes), limits);
    }
}

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use proptest::prelude::*;
use pumice_types::ByteSize;

use super::*;
use crate::{
    Device, Entry, Limits, Meta, Node, Tree, TreePath,
    disk::{Found, Region},
};

struct Image {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Image {
    fn new(tree: &Tree, kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rootfs.img");
        let options =
            CreateOptions { kind, label: "rootfs".to_owned(), free: ByteSize(4 << 20), ..Default::default() };
        create(&path, tree, &options).unwrap();
        Self { directory, path }
    }

    fn region(&self) -> Region {
        Region::whole(&self.path).unwrap()
    }

    fn volume(&self) -> FileSystem {
        FileSystem::open(&self.region()).unwrap()
    }

    /// What the program of the people who define the format thinks of it.
    fn assert_clean(&self) {
        let path =
            std::env::split_paths("/usr/sbin:/sbin").map(|sbin| sbin.join("e2fsck")).find(|it| it.exists());
        let output = Command::new(path.unwrap()).arg("-fn").arg(&self.path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn read(volume: &FileSystem, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    volume.copy_out(path, &mut bytes).unwrap();
    bytes
}

fn found(volume: &FileSystem, pattern: &str) -> Vec<String> {
    let mut paths: Vec<_> = volume
        .find(&pattern.parse().unwrap(), Limits::default())
        .unwrap()
        .into_iter()
        .map(|found| found.path)
        .collect();
    paths.sort();
    paths
}

/// A root file system as distributions make it, small.
fn rootfs() -> Tree {
    let mut tree = Tree::new();
    tree.directory("usr/bin", 0o755).unwrap().symlink("bin", "usr/bin").unwrap();
    tree.file("usr/bin/sh", 0o4755, vec![7; 20_000]).unwrap();
    tree.file("boot/vmlinuz-6.1.0-9-armmp", 0o600, "kernel").unwrap();
    tree.symlink("vmlinuz", "boot/vmlinuz-6.1.0-9-armmp").unwrap();
    tree.symlink("dangling", "nowhere").unwrap();
    tree.symlink("long", "x/".repeat(100)).unwrap();
    tree.character_device("dev/console", 0o600, Device { major: 5, minor: 1 }).unwrap();
    let link = Node::HardLink(TreePath::new("usr/bin/sh").unwrap());
    tree.insert(&TreePath::new("usr/bin/dash").unwrap(), Entry::new(Meta::new(0o4755), link)).unwrap();
    let meta = Meta { mode: 0o1777, uid: 70_000, gid: 8, mtime: 1_700_000_000 };
    tree.insert(&TreePath::new("tmp").unwrap(), Entry::new(meta, Node::Directory)).unwrap();
    tree
}

#[test]
fn a_tree_becomes_a_file_system_with_owners_modes_links_and_devices() {
    for kind in [Kind::Ext2, Kind::Ext4] {
        let image = Image::new(&rootfs(), kind);
        image.assert_clean();
        let volume = image.volume();
        assert_eq!(read(&volume, "/bin/sh"), vec![7; 20_000]);
        assert_eq!(read(&volume, "/usr/bin/dash"), vec![7; 20_000]);
        let inner = ext4_view::Ext4::load_from_path(&image.path).unwrap();
        let tmp = inner.metadata("/tmp").unwrap();
        assert_eq!((tmp.mode() & 0o7777, tmp.uid(), tmp.gid()), (0o1777, 70_000, 8));
        assert_eq!(tmp.modified().seconds(), 1_700_000_000);
        assert_eq!(inner.metadata("/bin/sh").unwrap().mode() & 0o7777, 0o4755);
        assert!(inner.metadata("/dev/console").unwrap().file_type().is_char_dev());
        assert_eq!(inner.read_link("/long").unwrap(), "x/".repeat(100).as_str());
        let superblock = Superblock::read(&image.region().open().unwrap()).unwrap();
        assert_eq!(superblock.label, "rootfs");
        assert!(superblock.free_blocks * superblock.block_bytes >= 4 << 20);
        let is_sparse = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&image.path).unwrap()) * 512
            < image.region().length / 2;
        assert!(is_sparse);
    }
}

#[test]
fn the_same_tree_gives_the_same_image() {
    let (one, two) = (Image::new(&rootfs(), Kind::Ext4), Image::new(&rootfs(), Kind::Ext4));
    assert!(fs::read(&one.path).unwrap() == fs::read(&two.path).unwrap());
}

#[test]
fn files_are_found_by_path_by_pattern_and_through_links() {
    let image = Image::new(&rootfs(), Kind::Ext4);
    let volume = image.volume();
    assert_eq!(found(&volume, "/boot/vmlinuz-*"), ["/boot/vmlinuz-6.1.0-9-armmp"]);
    assert_eq!(found(&volume, "vmlinuz*"), ["/boot/vmlinuz-6.1.0-9-armmp", "/vmlinuz"]);
    assert_eq!(found(&volume, "/bin/sh"), ["/bin/sh"]);
    assert_eq!(found(&volume, "/vmlinuz"), ["/vmlinuz"]);
    assert_eq!(read(&volume, "/vmlinuz"), b"kernel");
    for nothing in ["/dangling", "dangling", "/tmp", "/missing/x", "/boot/vmlinuz-6.1.0-9-armmp/x"] {
        assert!(found(&volume, nothing).is_empty(), "{nothing}");
    }
}

#[test]
fn an_overlay_is_written_where_a_guest_would_look_for_it() {
    let image = Image::new(&rootfs(), Kind::Ext4);
    let mut overlay = Tree::new();
    overlay.directory("lava-1/bin", 0o755).unwrap();
    overlay.file("lava-1/bin/lava-test-case", 0o755, "#!/bin/sh\n").unwrap();
    overlay.file("bin/tool", 0o755, "tool").unwrap();
    overlay.file("usr/bin/sh", 0o755, "other shell").unwrap();
    overlay.file("tmp/x", 0o644, "x").unwrap();
    overlay.file("vmlinuz", 0o644, "a file now").unwrap();
    write(&image.region(), &overlay).unwrap();
    image.assert_clean();
    let volume = image.volume();
    assert_eq!(read(&volume, "/lava-1/bin/lava-test-case"), b"#!/bin/sh\n");
    assert_eq!(read(&volume, "/usr/bin/tool"), b"tool");
    assert_eq!(read(&volume, "/usr/bin/sh"), b"other shell");
    assert_eq!(read(&volume, "/usr/bin/dash"), vec![7; 20_000], "another name keeps its contents");
    assert_eq!(read(&volume, "/vmlinuz"), b"a file now");
    assert_eq!(read(&volume, "/boot/vmlinuz-6.1.0-9-armmp"), b"kernel");
    let inner = ext4_view::Ext4::load_from_path(&image.path).unwrap();
    assert!(inner.symlink_metadata("/bin").unwrap().is_symlink());
    let tmp = inner.metadata("/tmp").unwrap();
    assert_eq!(tmp.mode() & 0o7777, 0o1777, "nobody asked for another mode");
    // Again: what was written is replaced.
    write(&image.region(), &overlay).unwrap();
    image.assert_clean();
    assert_eq!(fs::read_dir(image.directory.path()).unwrap().count(), 1, "nothing is left beside the image");
}

#[test]
fn names_that_mean_something_to_debugfs_are_only_names() {
    let names = ["<2>", "a b", "it's \"quoted\"", "-rf", "$(reboot)", "ü", "#x", "x;y", "back\\slash", "?"];
    let image = Image::new(&Tree::new(), Kind::Ext4);
    let mut tree = Tree::new();
    for name in names {
        tree.file(format!("d/{name}/{name}"), 0o640, name).unwrap();
    }
    write(&image.region(), &tree).unwrap();
    image.assert_clean();
    let volume = image.volume();
    for name in names {
        let path = format!("/d/{name}/{name}");
        assert_eq!(read(&volume, &path), name.as_bytes());
        let inner = ext4_view::Ext4::load_from_path(&image.path).unwrap();
        assert_eq!(inner.metadata(path.as_str()).unwrap().mode() & 0o7777, 0o640, "{name}");
    }
    let mut tree = Tree::new();
    tree.file("a\nrm x", 0o644, "").unwrap();
    assert!(matches!(write(&image.region(), &tree), Err(Ext4Error::Name(_))));
}

#[test]
fn what_does_not_fit_is_said_before_anything_is_written() {
    let image = Image::new(&rootfs(), Kind::Ext4);
    let before = fs::read(&image.path).unwrap();
    let mut tree = Tree::new();
    tree.file("big", 0o644, vec![1; 64 << 20]).unwrap();
    let error = write(&image.region(), &tree).unwrap_err();
    assert!(
        error.to_string().starts_with("no room in the ext4 file system: 64.6 MiB and 1 files"),
        "{error}"
    );
    assert_eq!(error.root_cause(), Cause::ImageUnusable);
    let mut tree = Tree::new();
    tree.file("tmp", 0o644, "").unwrap();
    let error = write(&image.region(), &tree).unwrap_err();
    assert_eq!(error.to_string(), "`/tmp` cannot be written: `/tmp` is a directory in the file system");
    let mut tree = Tree::new();
    tree.file("usr/bin/sh/x", 0o644, "").unwrap();
    let error = write(&image.region(), &tree).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/usr/bin/sh` cannot be written: `/usr/bin/sh` is a file in the file system"
    );
    assert!(fs::read(&image.path).unwrap() == before);
}

#[test]
fn what_is_no_ext4_is_the_images_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    fs::write(&path, vec![0; 10_000]).unwrap();
    let error = write(&Region::whole(&path).unwrap(), &Tree::new()).unwrap_err();
    assert_eq!(error.to_string(), "there is no ext2, ext3 or ext4 file system");
    assert_eq!(error.root_cause(), Cause::ImageUnusable);
}

#[test]
fn a_whole_directory_becomes_a_file_system() {
    let source = tempfile::tempdir().unwrap();
    fs::create_dir_all(source.path().join("etc")).unwrap();
    fs::write(source.path().join("etc/hostname"), "guest\n").unwrap();
    let image = Image::new(&Tree::from_directory(source.path()).unwrap(), Kind::Ext4);
    assert_eq!(read(&image.volume(), "/etc/hostname"), b"guest\n");
}

fn small_image() -> &'static [u8] {
    static IMAGE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    IMAGE.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("small");
        let options = CreateOptions { size: Some(ByteSize(6 << 20)), ..Default::default() };
        create(&path, &rootfs(), &options).unwrap();
        fs::read(&path).unwrap()
    })
}

fn open_bytes(path: &Path, bytes: &[u8]) -> Result<FileSystem, Ext4Error> {
    fs::write(path, bytes)?;
    FileSystem::open(&Region::whole(path)?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_bytes_make_the_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        near in 1024_usize..40_000,
    ) {
        let mut bytes = small_image().to_vec();
        for (index, (place, byte)) in changes.into_iter().enumerate() {
            // Most of the file is free; half of the changes go where the structures are.
            let place = if index % 2 == 0 { place.index(bytes.len()) } else { near + place.index(400) };
            bytes[place] = byte;
        }
        let directory = tempfile::tempdir().unwrap();
        if let Ok(volume) = open_bytes(&directory.path().join("image"), &bytes) {
            let limits = Limits { entries: 10_000, bytes: 1 << 20 };
            for Found { path, bytes } in volume.find(&"*".parse().unwrap(), limits).unwrap_or_default() {
                // A file may claim to be gigabytes of holes; to copy them is slow and no news.
                if bytes < 1 << 20 {
                    let _ = volume.copy_out(&path, &mut io::sink());
                }
            }
        }
    }
}

/// A tree that needs every form of a map: holes, long extents, trees of extents and blocks of blocks.
#[test]
fn large_and_sparse_files_are_read_as_another_reader_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut long = Vec::new();
    for block in 0..6000_u32 {
        // Every third block is a hole, which makes two thousand extents.
        let fill = if block % 3 == 0 { vec![0; 4096] } else { block.to_le_bytes().repeat(1024) };
        long.extend(fill);
    }
    let source = directory.path().join("long");
    let file = fs::File::create(&source).unwrap();
    let mut writer = crate::SparseWriter::new(&file);
    io::Write::write_all(&mut writer, &long).unwrap();
    writer.finish().unwrap();
    for kind in [Kind::Ext2, Kind::Ext4] {
        let mut tree = Tree::new();
        tree.host_file("long", 0o644, &source).unwrap().file("short", 0o644, vec![9; 5]).unwrap();
        for number in 0..2000 {
            tree.file(format!("many/{number:0>60}"), 0o644, "").unwrap();
        }
        let image = Image::new(&tree, kind);
        image.assert_clean();
        let volume = image.volume();
        assert!(read(&volume, "/long") == long, "{kind:?}");
        assert_eq!(volume.list("/many").unwrap().len(), 2000);
        let inner = ext4_view::Ext4::load_from_path(&image.path).unwrap();
        assert!(inner.read("/long").unwrap() == long, "{kind:?}");
    }
}

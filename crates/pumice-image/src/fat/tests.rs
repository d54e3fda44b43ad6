use std::{fs, path::PathBuf};

use proptest::prelude::*;
use pumice_types::{ByteSize, FilePattern};

use super::*;
use crate::{Limits, Tree, disk::Region};

struct Image {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Image {
    fn new(tree: &Tree, free: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("efi.img");
        create(&path, tree, "boot", ByteSize(free)).unwrap();
        Self { _directory: directory, path }
    }

    fn open(&self) -> FileSystem {
        FileSystem::open(&Region::whole(&self.path).unwrap()).unwrap()
    }
}

fn sample() -> Tree {
    let mut tree = Tree::new();
    tree.file("EFI/BOOT/BOOTAA64.EFI", 0o644, vec![7; 100_000]).unwrap();
    tree.file("startup.nsh", 0o644, "fs0:\\Image").unwrap();
    tree.file("A name that needs many entries of a directory.dtb", 0o644, "dtb").unwrap();
    tree.file("empty", 0o644, "").unwrap();
    for number in 0..100 {
        tree.file(format!("many/file-number-{number}.txt"), 0o644, number.to_string()).unwrap();
    }
    tree
}

fn found(volume: &FileSystem, pattern: &str) -> Vec<String> {
    let pattern: FilePattern = pattern.parse().unwrap();
    volume.find(&pattern, Limits::default()).unwrap().into_iter().map(|found| found.path).collect()
}

fn read(volume: &FileSystem, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    volume.copy_out(path, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_made_is_read_by_us_and_by_others() {
    // Sizes at which the table has 16 and 32 bits an entry.
    for (free, width) in [(0, fatfs::FatType::Fat16), (600 << 20, fatfs::FatType::Fat32)] {
        let image = Image::new(&sample(), free);
        let volume = image.open();
        let other = fatfs::FileSystem::new(
            fs::File::options().read(true).write(true).open(&image.path).unwrap(),
            fatfs::FsOptions::new(),
        )
        .unwrap();
        assert_eq!((other.fat_type(), other.volume_label()), (width, "BOOT".to_owned()));
        assert!(other.stats().unwrap().free_clusters() > 1000);
        for (path, entry) in sample().iter() {
            let crate::Node::File(content) = &entry.node else { continue };
            let expected = content.to_vec().unwrap();
            let path = path.to_string();
            assert!(read(&volume, &path) == expected, "{path}");
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut other.root_dir().open_file(&path[1..]).unwrap(), &mut bytes).unwrap();
            assert!(bytes == expected, "{path}");
        }
        assert_eq!(volume.list("/many").unwrap().len(), 100);
        let names = other.root_dir().open_dir("many").unwrap().iter().count();
        assert_eq!(names, 102, "with the directory itself and the one above");
        // What is there can be added to.
        io::Write::write_all(&mut other.root_dir().create_file("EFI/new file").unwrap(), b"new").unwrap();
        other.unmount().unwrap();
        assert_eq!(read(&image.open(), "/efi/New File"), b"new");
    }
}

#[test]
fn a_root_directory_of_many_files_is_large_enough() {
    let mut tree = Tree::new();
    for number in 0..700 {
        tree.file(format!("a file with a long name, number {number}"), 0o644, "").unwrap();
    }
    assert_eq!(Image::new(&tree, 0).open().list("/").unwrap().len(), 700);
}

#[test]
fn names_are_found_in_any_case_and_long_names_whole() {
    let image = Image::new(&sample(), 0);
    let volume = image.open();
    assert_eq!(found(&volume, "/efi/boot/*.efi"), ["/EFI/BOOT/BOOTAA64.EFI"]);
    assert_eq!(found(&volume, "*.dtb"), ["/A name that needs many entries of a directory.dtb"]);
    assert_eq!(found(&volume, "file-number-1?.txt").len(), 10);
    assert_eq!(read(&volume, "STARTUP.NSH"), b"fs0:\\Image");
    assert!(matches!(volume.copy_out("/no", &mut Vec::new()), Err(FatError::NotFound(_))));
    assert!(matches!(volume.copy_out("/EFI", &mut Vec::new()), Err(FatError::NotFound(_))));
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let (one, two) = (Image::new(&sample(), 0), Image::new(&sample(), 0));
    assert!(fs::read(&one.path).unwrap() == fs::read(&two.path).unwrap());
}

#[test]
fn what_fat_cannot_hold_is_refused_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let mut tree = Tree::new();
    tree.symlink("link", "target").unwrap();
    let error = create(&path, &tree, "", ByteSize(0)).unwrap_err();
    assert_eq!(error.to_string(), "FAT cannot hold `/link`, which is a symbolic link");
    assert!(!path.exists());
    let mut tree = Tree::new();
    tree.file("a:b", 0o644, "").unwrap();
    let error = create(&path, &tree, "", ByteSize(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "FAT cannot hold `/a:b`, which is a name with characters FAT does not have"
    );
    let mut tree = Tree::new();
    tree.file("Kernel", 0o644, "").unwrap().file("kernel", 0o644, "").unwrap();
    let error = create(&path, &tree, "", ByteSize(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "FAT cannot hold `/kernel`, which is a second file of that name in other case"
    );
}

/// A FAT12 floppy of 64 sectors, written by hand from the specification: one file of two clusters.
fn floppy() -> Vec<u8> {
    let mut bytes = vec![0; 64 * 512];
    bytes[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    bytes[11..22].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xf0]);
    bytes[22] = 1; // one sector of table, after one reserved sector
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    // Clusters 2 and 3 are a chain: 0xff0, 0xfff, 0x003, 0xfff.
    bytes[512..518].copy_from_slice(&[0xf0, 0xff, 0xff, 0x03, 0xf0, 0xff]);
    let entry = &mut bytes[1024..1056];
    entry[..11].copy_from_slice(b"KERNEL  AXF");
    entry[12] = 0x18; // both halves in lower case
    entry[26] = 2;
    entry[28..30].copy_from_slice(&600_u16.to_le_bytes());
    bytes[1536..2048].fill(b'a');
    bytes[2048..2560].fill(b'b');
    bytes
}

fn open_bytes(bytes: &[u8]) -> Result<(tempfile::NamedTempFile, FileSystem), FatError> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), bytes)?;
    let volume = FileSystem::open(&Region::whole(file.path())?)?;
    Ok((file, volume))
}

#[test]
fn a_floppy_is_read_as_the_specification_says() {
    let (_file, volume) = open_bytes(&floppy()).unwrap();
    assert_eq!(found(&volume, "*"), ["/kernel.axf"]);
    let expected = [vec![b'a'; 512], vec![b'b'; 88]].concat();
    assert_eq!(read(&volume, "/kernel.axf"), expected);
}

#[test]
fn a_chain_that_is_a_circle_ends() {
    let mut bytes = floppy();
    // Cluster 3 leads back to cluster 2, and the file is a directory as well.
    bytes[512..518].copy_from_slice(&[0xf0, 0xff, 0xff, 0x03, 0x20, 0x00]);
    bytes[1024 + 11] = 0x10;
    let (_file, volume) = open_bytes(&bytes).unwrap();
    let error = volume.find(&"*".parse().unwrap(), Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the FAT file system is damaged: a directory has no end");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        changes in prop::collection::vec((0_usize..2560, any::<u8>()), 1..20),
    ) {
        let mut bytes = floppy();
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        if let Ok((_file, volume)) = open_bytes(&bytes) {
            let limits = Limits { entries: 1000, bytes: 1 << 20 };
            for found in volume.find(&"*".parse().unwrap(), limits).unwrap_or_default() {
                let _ = volume.copy_out(&found.path, &mut io::sink());
            }
        }
    }
}

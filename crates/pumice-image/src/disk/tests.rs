use std::{fs, path::PathBuf};

use proptest::prelude::*;
use pumice_types::ByteSize;

use super::*;
use crate::{
    Limits, Tree,
    ext4::{self, CreateOptions},
    fat,
};

const MIB: u64 = 1 << 20;

struct World {
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn ext4(&self, tree: &Tree) -> Vec<u8> {
        let path = self.path("ext4");
        ext4::create(&path, tree, &CreateOptions { free: ByteSize(MIB), ..Default::default() }).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        bytes
    }

    fn fat(&self, tree: &Tree) -> Vec<u8> {
        let path = self.path("fat");
        fat::create(&path, tree, "boot", ByteSize(0)).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        bytes
    }

    fn disk(&self, bytes: &[u8]) -> Disk {
        let path = self.path("disk.img");
        fs::write(&path, bytes).unwrap();
        Disk::open(&path).unwrap()
    }
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    for (path, text) in files {
        tree.file(path, 0o644, *text).unwrap();
    }
    tree
}

/// Puts parts one after the other, each at the next whole mebibyte from the first; gives the bytes and where
/// each begins.
fn lay_out(parts: &[&[u8]]) -> (Vec<u8>, Vec<u64>) {
    let mut bytes = vec![0; usize::try_from(MIB).unwrap()];
    let mut starts = Vec::new();
    for part in parts {
        starts.push(bytes.len() as u64);
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len().next_multiple_of(1 << 20), 0);
    }
    // Room for the second copy of a GUID partition table.
    bytes.resize(bytes.len() + (1 << 20), 0);
    (bytes, starts)
}

/// Writes an entry of a PC's partition table.
fn mbr_entry(sector: &mut [u8], number: usize, is_active: bool, kind: u8, start: u64, length: u64) {
    let entry = &mut sector[446 + number * 16..][..16];
    entry[0] = if is_active { 0x80 } else { 0 };
    entry[4] = kind;
    let narrow = |bytes: u64| u32::try_from(bytes / 512).unwrap().to_le_bytes();
    entry[8..12].copy_from_slice(&narrow(start));
    entry[12..16].copy_from_slice(&narrow(length));
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
}

/// A card as linaro-media-create makes it: FAT with what firmware loads, ext4 with the rest.
fn card(world: &World) -> Vec<u8> {
    let boot =
        world.fat(&tree(&[("img.axf", "axf"), ("uImage", "kernel"), ("rtsm_ve-cortex_a15x1.dtb", "dtb")]));
    let root = world.ext4(&tree(&[("etc/hostname", "linaro"), ("boot/uImage", "kernel of the root")]));
    let (mut bytes, starts) = lay_out(&[&boot, &root]);
    mbr_entry(&mut bytes, 0, true, 0x0c, starts[0], boot.len() as u64);
    mbr_entry(&mut bytes, 1, false, 0x83, starts[1], root.len() as u64);
    bytes
}

fn take(disk: &Disk, pattern: &str) -> Result<String, DiskError> {
    let (mut volume, found) = disk.find(&pattern.parse().unwrap(), Limits::default())?;
    let mut bytes = Vec::new();
    volume.copy_out(&found, &mut bytes)?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn what_a_model_boots_is_taken_out_of_a_card() {
    let world = World::new();
    let disk = world.disk(&card(&world));
    assert_eq!(disk.partitions().len(), 2);
    assert_eq!(take(&disk, "*.AXF").unwrap(), "axf");
    assert_eq!(take(&disk, "rtsm_ve-*a15x1.dtb").unwrap(), "dtb");
    assert_eq!(take(&disk, "uImage").unwrap(), "kernel", "the boot partition comes first");
    assert_eq!(take(&disk, "/boot/uImage").unwrap(), "kernel of the root");
    let error = take(&disk, "initrd*").unwrap_err();
    let expected = "no file in it matches `initrd*`; there is /img.axf, /rtsm_ve-cortex_a15x1.dtb, /uImage, \
                    /boot, /etc, /lost+found";
    assert_eq!(error.to_string(), expected);
    let error = take(&disk, "/*").unwrap_err();
    let expected = "several files in it match `/*`: /img.axf, /rtsm_ve-cortex_a15x1.dtb, /uImage";
    assert_eq!(error.to_string(), expected);

    let target = world.path("img.axf");
    let (mut volume, found) = disk.find(&"img.axf".parse().unwrap(), Limits::default()).unwrap();
    volume.extract(&found, &target).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"axf");
}

#[test]
fn an_overlay_goes_into_a_partition_and_nowhere_else() {
    let world = World::new();
    let before = card(&world);
    let disk = world.disk(&before);
    let region = disk.region(Some(1)).unwrap();
    ext4::write(&region, &tree(&[("lava-1/run.sh", "run")])).unwrap();
    assert_eq!(take(&disk, "run.sh").unwrap(), "run");
    let after = fs::read(&region.path).unwrap();
    let (start, end) = (region.offset, region.offset + region.length);
    let range = |bytes: &[u8], from: u64, to: u64| {
        bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()].to_vec()
    };
    assert!(range(&before, 0, start) == range(&after, 0, start));
    assert!(range(&before, end, before.len() as u64) == range(&after, end, after.len() as u64));
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_partition_is_named_by_its_number_from_zero() {
    let world = World::new();
    let disk = world.disk(&card(&world));
    let message = |disk: &Disk, partition| disk.region(partition).unwrap_err().to_string();
    assert_eq!(message(&disk, Some(2)), "it has no partition 2: there are partitions 0 to 1");
    assert_eq!(message(&disk, None), "it is divided into 2 partitions and is no file system itself");
    let bare = world.disk(&world.ext4(&tree(&[("a", "b")])));
    assert_eq!(message(&bare, Some(0)), "it has no partition 0: it is not divided into partitions");
    assert_eq!(take(&bare, "/a").unwrap(), "b");
    let fat = world.disk(&world.fat(&tree(&[("a", "b")])));
    assert!(fat.partitions().is_empty(), "a boot sector is no partition table");
    assert_eq!(take(&fat, "/A").unwrap(), "b");
}

#[test]
fn logical_partitions_follow_the_primary_ones() {
    let world = World::new();
    let parts = [world.ext4(&tree(&[("one", "1")])), world.ext4(&tree(&[("two", "2")]))];
    let empty = vec![0; 1 << 20];
    let (mut bytes, starts) = lay_out(&[&empty, &parts[0], &empty, &parts[1]]);
    let length = bytes.len() as u64;
    mbr_entry(&mut bytes, 0, false, 0x05, starts[0], length - starts[0]);
    let at = |place: u64| usize::try_from(place).unwrap();
    mbr_entry(&mut bytes[at(starts[0])..], 0, false, 0x83, starts[1] - starts[0], parts[0].len() as u64);
    mbr_entry(&mut bytes[at(starts[0])..], 1, false, 0x05, starts[2] - starts[0], length - starts[2]);
    mbr_entry(&mut bytes[at(starts[2])..], 0, false, 0x83, starts[3] - starts[2], parts[1].len() as u64);
    let disk = world.disk(&bytes);
    assert_eq!(disk.partitions().len(), 2);
    assert_eq!((take(&disk, "one").unwrap(), take(&disk, "two").unwrap()), ("1".to_owned(), "2".to_owned()));

    // A chain that is a circle.
    mbr_entry(&mut bytes[at(starts[2])..], 1, false, 0x05, starts[2] - starts[0], length);
    let path = world.path("circle");
    fs::write(&path, &bytes).unwrap();
    let error = Disk::open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its partition table is damaged: its chain of logical partitions has no end"
    );
}

/// Writes both copies of a GUID partition table over `bytes`.
fn write_gpt(bytes: &mut [u8], partitions: &[([u8; 16], u64, u64, &str)]) {
    let mut table = vec![0; 128 * 128];
    for (entry, (kind, start, length, name)) in table.chunks_exact_mut(128).zip(partitions) {
        entry[..16].copy_from_slice(kind);
        entry[16] = 1;
        entry[32..40].copy_from_slice(&(start / 512).to_le_bytes());
        entry[40..48].copy_from_slice(&((start + length) / 512 - 1).to_le_bytes());
        for (unit, to) in name.encode_utf16().zip(entry[56..].chunks_exact_mut(2)) {
            to.copy_from_slice(&unit.to_le_bytes());
        }
    }
    let sectors = bytes.len() / 512;
    for (header_sector, table_sector) in [(1, 2), (sectors - 1, sectors - 33)] {
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[8..12].copy_from_slice(&[0, 0, 1, 0]);
        header[12..16].copy_from_slice(&92_u32.to_le_bytes());
        header[72..80].copy_from_slice(&(table_sector as u64).to_le_bytes());
        header[80..84].copy_from_slice(&128_u32.to_le_bytes());
        header[84..88].copy_from_slice(&128_u32.to_le_bytes());
        header[88..92].copy_from_slice(&crc32fast::hash(&table).to_le_bytes());
        let sum = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        bytes[header_sector * 512..][..92].copy_from_slice(&header);
        bytes[table_sector * 512..][..table.len()].copy_from_slice(&table);
    }
    let length = bytes.len() as u64;
    mbr_entry(bytes, 0, false, 0xee, 512, length - 512);
}

#[test]
fn a_guid_partition_table_is_read_from_either_copy() {
    const LINUX: [u8; 16] =
        [0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4];
    const ESP: [u8; 16] =
        [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
    let world = World::new();
    let root = world.ext4(&tree(&[("x", "root")]));
    let esp = world.fat(&tree(&[("x", "esp")]));
    let (mut bytes, starts) = lay_out(&[&root, &esp]);
    let parts = [(LINUX, starts[0], root.len() as u64, "root"), (ESP, starts[1], esp.len() as u64, "EFI")];
    write_gpt(&mut bytes, &parts);
    let check = |bytes: &[u8]| {
        let disk = world.disk(bytes);
        let names: Vec<_> = disk.partitions().iter().map(|partition| partition.name.as_str()).collect();
        assert_eq!(names, ["root", "EFI"]);
        assert_eq!(disk.partitions()[1].kind, PartitionKind::Boot);
        assert_eq!(take(&disk, "x").unwrap(), "esp");
    };
    check(&bytes);
    bytes[512 + 20] ^= 1;
    check(&bytes);
    let backup = bytes.len() - 512 + 20;
    bytes[backup] ^= 1;
    fs::write(world.path("broken"), &bytes).unwrap();
    let error = Disk::open(&world.path("broken")).unwrap_err();
    assert_eq!(error.to_string(), "its partition table is damaged: no copy of it has the right checksum");
}

#[test]
fn what_is_no_disk_is_said_by_what_it_is() {
    let world = World::new();
    let check = |bytes: &[u8], expected: &str| {
        let path = world.path("image");
        fs::write(&path, bytes).unwrap();
        let error = Disk::open(&path).and_then(|disk| disk.volume(None)).err().unwrap();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.root_cause(), Cause::ImageUnusable);
    };
    check(b"QFI\xfb and so on", "it is a qcow2 image, not a raw disk image");
    check(b"\x1f\x8b\x08", "it is packed with gz, not a raw disk image");
    check(&[0; 4096], "it holds nothing but zeros, not a file system we read (ext2, ext3, ext4, FAT)");
    let squashfs = [&b"hsqs"[..], &[0; 100]].concat();
    check(&squashfs, "it holds a squashfs file system, not a file system we read (ext2, ext3, ext4, FAT)");
    check(b"", "it holds nothing but zeros, not a file system we read (ext2, ext3, ext4, FAT)");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_of_tables_panic(
        changes in prop::collection::vec((446_usize..(34 * 512), any::<u8>()), 0..30),
        is_gpt: bool,
    ) {
        let mut bytes = vec![0; 100 * 512];
        if is_gpt {
            write_gpt(&mut bytes, &[([1; 16], 34 * 512, 512, "a")]);
        } else {
            mbr_entry(&mut bytes, 0, true, 0x0c, 1024, 2048);
            mbr_entry(&mut bytes, 1, false, 0x05, 4096, 8192);
            mbr_entry(&mut bytes[4096..], 0, false, 0x83, 512, 512);
        }
        for (place, byte) in changes {
            bytes[place] = byte;
        }
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        if let Ok(disk) = Disk::open(file.path()) {
            for index in 0..disk.partitions().len() {
                let _ = disk.volume(Some(index));
            }
            let _ = disk.find(&"*".parse().unwrap(), Limits::default());
        }
    }
}

use std::{fs, io::Cursor, process::Command};

use proptest::prelude::*;

use super::*;

/// Runs `qemu-img` where it is installed; gives its output.
fn qemu_img(arguments: &[&str], path: &std::path::Path) -> Option<String> {
    let output = Command::new("qemu-img").args(arguments).arg(path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_view_of_a_raw_disk_is_what_qemu_takes_for_one() {
    let directory = tempfile::tempdir().unwrap();
    let backing = directory.path().join("disk.raw");
    let overlay = directory.path().join("view.qcow2");
    fs::write(&backing, vec![7; (3 << 20) + 100]).unwrap();
    assert_eq!(create_overlay(&overlay, &backing).unwrap(), BackingFormat::Raw);

    let header = Header::read(fs::File::open(&overlay).unwrap()).unwrap();
    assert_eq!(header.virtual_bytes, (3 << 20) + 512);
    assert_eq!(header.backing_file.as_deref(), backing.to_str());
    assert_eq!(header.backing_format.as_deref(), Some("raw"));
    assert!(!header.is_self_contained());
    assert!(create_overlay(&overlay, &backing).is_err(), "an existing file is never replaced");

    let Some(report) = qemu_img(&["check"], &overlay) else { return };
    assert!(report.contains("No errors were found"), "{report}");
    let plain = directory.path().join("plain.raw");
    let arguments = ["convert", "-O", "raw", overlay.to_str().unwrap()];
    qemu_img(&arguments, &plain);
    assert_eq!(fs::read(&plain).unwrap()[..3 << 20], vec![7; 3 << 20]);

    // A view of the view.
    let second = directory.path().join("second.qcow2");
    assert_eq!(create_overlay(&second, &overlay).unwrap(), BackingFormat::Qcow2);
    qemu_img(&["check"], &second);
}

#[test]
fn a_view_of_a_terabyte_is_small() {
    let directory = tempfile::tempdir().unwrap();
    let backing = directory.path().join("disk.raw");
    let overlay = directory.path().join("view.qcow2");
    fs::File::create(&backing).unwrap().set_len(1 << 40).unwrap();
    create_overlay(&overlay, &backing).unwrap();
    assert_eq!(fs::metadata(&overlay).unwrap().len(), 4 << 16);
    qemu_img(&["check"], &overlay);
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    assert!(matches!(Header::read(Cursor::new(b"raw bytes")), Err(Qcow2Error::NotQcow2)));
    let cut = [&MAGIC[..], &3_u32.to_be_bytes()].concat();
    assert!(matches!(Header::read(Cursor::new(cut)), Err(Qcow2Error::Damaged(_))));
    let directory = tempfile::tempdir().unwrap();
    let relative = create_overlay(&directory.path().join("x"), std::path::Path::new("Cargo.toml"));
    assert!(matches!(relative, Err(Qcow2Error::BackingName(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), magic: bool) {
        if magic && bytes.len() > 8 {
            bytes[..4].copy_from_slice(MAGIC);
            bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
        }
        let _ = Header::read(Cursor::new(bytes));
    }
}

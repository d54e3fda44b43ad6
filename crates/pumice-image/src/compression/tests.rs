use std::io::{Cursor, Read, Write};

use super::*;
use crate::{LimitExceeded, Peek, peek::tests::Drip};

/// `text` packed by an encoder of the crate that reads the same format.
fn pack(compression: Compression, text: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip | Compression::Zstd => {
            let mut encoder = encode(Some(compression), Vec::new()).unwrap();
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zip => zip_of(&[("image", text)]),
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn unpack(compression: Compression, packed: &[u8]) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    if compression == Compression::Zip {
        unzip(Cursor::new(packed), "image.zip", 1 << 20, &mut bytes)?;
    } else {
        decode(compression, packed)?
            .read_to_end(&mut bytes)
            .map_err(|error| UnpackError::Damaged(compression, error))?;
    }
    Ok(bytes)
}

const STREAMS: [Compression; 4] = [Compression::Gzip, Compression::Xz, Compression::Bzip2, Compression::Zstd];

#[test]
fn every_compression_is_known_by_its_bytes_and_undone() {
    for compression in Compression::ALL {
        let packed = pack(compression, b"hello image");
        assert_eq!(Compression::from_magic(&packed), Some(compression));
        assert_eq!(unpack(compression, &packed).unwrap(), b"hello image", "{compression}");
        assert_eq!(compression.name().parse(), Ok(compression));
        assert!(unpack(compression, &packed[..packed.len() - 3]).is_err(), "{compression} cut short");
        assert!(unpack(compression, b"plain text").is_err(), "{compression}");
    }
    assert_eq!(Compression::from_magic(b"070701"), None);
}

#[test]
fn members_one_after_the_other_are_one_file() {
    for compression in STREAMS {
        let packed = [pack(compression, b"one "), pack(compression, b"two")].concat();
        assert_eq!(unpack(compression, &packed).unwrap(), b"one two", "{compression}");
    }
}

#[test]
fn the_first_member_leaves_what_follows_untouched() {
    for compression in STREAMS {
        let packed = [pack(compression, b"first"), b"rest of the file".to_vec()].concat();
        for chunk in [1, 7, 4096] {
            let mut input = Peek::new(Drip(&packed, chunk));
            let mut bytes = Vec::new();
            decode_member(compression, &mut input).unwrap().read_to_end(&mut bytes).unwrap();
            let mut rest = Vec::new();
            input.read_to_end(&mut rest).unwrap();
            assert_eq!((&bytes[..], &rest[..]), (&b"first"[..], &b"rest of the file"[..]), "{compression}");
        }
    }
}

#[test]
fn what_is_not_packed_is_said_with_its_first_bytes() {
    let error = unpack(Compression::Xz, b"<html><body>").unwrap_err();
    assert_eq!(error.to_string(), "it is not xz data: it begins with `<html><b`");
    assert_eq!(error.root_cause(), Cause::ImageUnusable);
}

#[test]
fn of_a_zip_the_only_file_or_the_one_named_like_it_is_meant() {
    let two = zip_of(&[("readme", b"no"), ("dir/image", b"yes")]);
    assert_eq!(unpack(Compression::Zip, &two).unwrap(), b"yes");
    let error = unpack(Compression::Zip, &zip_of(&[("a", b""), ("b", b"")])).unwrap_err();
    assert_eq!(error.to_string(), "the zip archive holds 2 files and none is named `image`: a, b");
    assert!(matches!(unpack(Compression::Zip, &zip_of(&[])), Err(UnpackError::Empty)));
}

#[test]
fn a_zip_bomb_stops_at_the_limit() {
    let bomb = zip_of(&[("image", &vec![0; 4 << 20])]);
    assert!(bomb.len() < 64 << 10);
    let Err(UnpackError::Damaged(_, error)) = unpack(Compression::Zip, &bomb) else {
        panic!("the bomb went off")
    };
    assert!(LimitExceeded::of(&error).is_some());
}

#[test]
fn names_lose_the_ending_of_their_compression() {
    for (compression, name, expected) in [
        (Compression::Gzip, "rootfs.ext4.gz", "rootfs.ext4"),
        (Compression::Gzip, "rootfs.TGZ", "rootfs.tar"),
        (Compression::Zstd, "initrd.zst", "initrd"),
        (Compression::Xz, "Image", "Image"),
        (Compression::Xz, "a.gz", "a.gz"),
        (Compression::Gzip, ".gz", ".gz"),
    ] {
        assert_eq!(compression.strip(name), expected);
    }
}

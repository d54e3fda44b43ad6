//! Files of this host.

use std::{fs, os::unix::fs::symlink, time::Duration};

use pumice_image::Compression;
use pumice_store::{FetchError, Origin, Policy, Request};
use pumice_types::{Blame, Cause};

use crate::world::{World, contents, gzip, policy};

fn request(path: &std::path::Path) -> Request {
    Request::new(format!("file://{}", path.display()))
}

/// Writes a file whose times are past, so that any change of it is seen.
fn write_settled(path: &std::path::Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    // The change time cannot be set; wait for the clock of the file system to move on.
    let changed = fs::metadata(path).unwrap().modified().unwrap();
    while changed.elapsed().unwrap_or_default() < Duration::from_millis(60) {
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_did_not_change_is_not_read_again() {
    let world = World::new();
    let path = world.path("rootfs.gz");
    write_settled(&path, &gzip(b"one"));
    let request = request(&path).compression(Compression::Gzip);
    assert_eq!(world.fetch(&request).unwrap().origin(), Origin::Fetched);
    let again = world.fetch(&request).unwrap();
    assert_eq!((again.origin(), contents(&again)), (Origin::Unchanged, b"one".to_vec()));

    write_settled(&path, &gzip(b"two"));
    let changed = world.fetch(&request).unwrap();
    assert_eq!((changed.origin(), contents(&changed)), (Origin::Fetched, b"two".to_vec()));
}

#[test]
fn a_file_that_was_just_written_is_not_trusted_to_stay_as_it_is() {
    let world = World::new();
    let path = world.path("kernel");
    for round in 0..20 {
        let text = format!("version {round:04}");
        fs::write(&path, &text).unwrap();
        assert_eq!(contents(&world.fetch(&request(&path)).unwrap()), text.as_bytes());
    }
}

#[test]
fn what_is_no_file_is_the_jobs_fault() {
    let world = World::new();
    for (path, words) in [(world.path("missing"), "No such file"), (world.path(""), "not a regular file")] {
        let failure = world.fetch(&request(&path)).unwrap_err().failure();
        assert_eq!(failure.cause, Cause::DownloadRefused);
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[test]
fn only_the_directories_the_lab_names_are_read() {
    let outside = World::new();
    let secret = outside.path("secret");
    fs::write(&secret, "secret").unwrap();
    let inside = tempfile::tempdir().unwrap();
    let readable = Some(vec![inside.path().canonicalize().unwrap()]);
    let world = World::with(Policy { readable, ..policy() });
    symlink(&secret, inside.path().join("link")).unwrap();
    fs::write(inside.path().join("image"), "image").unwrap();
    assert!(world.fetch(&request(&inside.path().join("image"))).is_ok());
    for path in [secret, inside.path().join("link"), inside.path().join("../../etc/passwd")] {
        let error = world.fetch(&request(&path)).unwrap_err();
        assert!(matches!(error, FetchError::FileForbidden(_) | FetchError::File { .. }), "{error}");
    }
}

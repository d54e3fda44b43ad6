//! What is fetched, checked, unpacked and remembered.

use pumice_image::Compression;
use pumice_store::{Algorithm, Checksum, Digest, FetchError, Origin, Progress, Request};
use pumice_types::{Blame, ByteSize, Cause};

use crate::{
    server::{Delivery, Reply, Server},
    world::{World, contents, fetch, gzip, noise},
};

fn sha256(bytes: &[u8]) -> Checksum {
    Checksum::new(Algorithm::Sha256, &Digest::of(bytes).to_string()).unwrap()
}

#[test]
fn a_packed_file_is_unpacked_and_reported_as_it_was_downloaded() {
    let (plain, packed) = (noise(300_000), gzip(&noise(300_000)));
    let served = packed.clone();
    let server = Server::start(move |_| Reply::ok(served.clone()));
    let world = World::new();
    let request = Request::new(server.url("/a/rootfs.ext4.gz")).compression(Compression::Gzip);
    let (artifact, progress) = fetch(&world.store, &request);
    let artifact = artifact.unwrap();
    assert_eq!(contents(&artifact), plain);
    assert_eq!(artifact.name(), "rootfs.ext4");
    assert_eq!((artifact.digest(), artifact.bytes()), (Digest::of(&plain), 300_000));
    assert_eq!(artifact.source_sha256(), Digest::of(&packed));
    assert_eq!(artifact.source_bytes(), packed.len() as u64);
    assert_eq!(artifact.origin(), Origin::Fetched);
    let total = Some(packed.len() as u64);
    assert_eq!(progress.last(), Some(&Progress::Received { bytes: packed.len() as u64, total }));
    assert!(world.leftovers().is_empty());
}

#[test]
fn a_file_the_job_names_by_sha256_needs_no_server_the_second_time() {
    let packed = gzip(b"image");
    let served = packed.clone();
    let server = Server::start(move |_| Reply::ok(served.clone()));
    let world = World::new();
    let request = Request::new(server.url("/x.gz")).compression(Compression::Gzip).checksum(sha256(&packed));
    world.fetch(&request).unwrap();
    drop(server);
    let artifact = world.fetch(&request).unwrap();
    assert_eq!((artifact.origin(), contents(&artifact)), (Origin::Known, b"image".to_vec()));
    assert_eq!(artifact.source_bytes(), packed.len() as u64);
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    for (name, value, condition) in [
        ("ETag", "\"v1\"", "if-none-match"),
        ("ETag", "W/\"v1\"", "if-none-match"),
        ("Last-Modified", "Tue, 01 Feb 2022 10:00:00 GMT", "if-modified-since"),
    ] {
        let server = Server::start(move |seen| match seen.header(condition) {
            Some(sent) if sent == value => Reply::status(304),
            _ => Reply::ok("image").header(name, value),
        });
        let world = World::new();
        let request = Request::new(server.url("/x"));
        assert_eq!(world.fetch(&request).unwrap().origin(), Origin::Fetched);
        let again = world.fetch(&request).unwrap();
        assert_eq!((again.origin(), contents(&again)), (Origin::Unchanged, b"image".to_vec()));
        assert_eq!(server.seen()[1].header(condition), Some(value));

        let fresh = Request { use_cache: false, ..request };
        assert_eq!(world.fetch(&fresh).unwrap().origin(), Origin::Fetched);
        assert_eq!(server.seen()[2].header(condition), None);
    }
}

#[test]
fn a_changed_file_is_fetched_anew() {
    let server = Server::start_counting(|number, _| {
        Reply::ok(format!("version {number}")).header("ETag", format!("\"{number}\""))
    });
    let world = World::new();
    let request = Request::new(server.url("/x"));
    let (first, second) = (world.fetch(&request).unwrap(), world.fetch(&request).unwrap());
    assert_eq!(contents(&first), b"version 0");
    assert_eq!(contents(&second), b"version 1");
}

#[test]
fn the_same_bytes_unpacked_in_two_ways_are_two_artifacts() {
    let packed = gzip(b"image");
    let served = packed.clone();
    let server = Server::start(move |_| Reply::ok(served.clone()).header("ETag", "\"1\""));
    let world = World::new();
    let plain = world.fetch(&Request::new(server.url("/x.gz"))).unwrap();
    let unpacked = world.fetch(&Request::new(server.url("/x.gz")).compression(Compression::Gzip)).unwrap();
    assert_eq!((contents(&plain), contents(&unpacked)), (packed, b"image".to_vec()));
    assert_eq!((plain.name(), unpacked.name()), ("x.gz", "x"));
    assert_eq!(plain.source_sha256(), unpacked.source_sha256());
}

#[test]
fn a_wrong_checksum_is_the_jobs_fault_and_leaves_nothing() {
    let server = Server::start(|_| Reply::ok("image").header("ETag", "\"1\""));
    let world = World::new();
    let good = Request::new(server.url("/x"));
    let wrong = good.clone().checksum(Checksum::new(Algorithm::Md5, &"0".repeat(32)).unwrap());
    let error = world.fetch(&wrong).unwrap_err();
    assert_eq!(error.root_cause(), Cause::ChecksumMismatch);
    let expected = format!(
        "`{}` has the md5 checksum 78805a221a988e79ef3f42d7c5bfd418 and not {}",
        server.url("/x"),
        "0".repeat(32)
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(world.store.usage().unwrap().objects, 0);
    assert!(world.leftovers().is_empty());
    assert_eq!(server.seen().len(), 1, "nothing is gained by trying again");

    // Known without the checksum the job wants: it is read again and counted.
    world.fetch(&good).unwrap();
    let right = Checksum::new(Algorithm::Md5, "78805a221a988e79ef3f42d7c5bfd418").unwrap();
    let artifact = world.fetch(&good.clone().checksum(right.clone())).unwrap();
    assert_eq!(artifact.origin(), Origin::Fetched);
    assert_eq!(server.seen().last().unwrap().header("if-none-match"), None);
}

#[test]
fn what_is_not_packed_is_the_jobs_fault_and_a_wrong_checksum_is_the_better_answer() {
    let server = Server::start(|_| Reply::ok("<html>not found</html>"));
    let world = World::new();
    let request = Request::new(server.url("/x.xz")).compression(Compression::Xz);
    let failure = world.fetch(&request).unwrap_err().failure();
    assert_eq!(failure.cause, Cause::ImageUnusable);
    let url = server.url("/x.xz");
    let expected = format!("`{url}` cannot be unpacked: it is not xz data: it begins with `<html>no`");
    assert_eq!(failure.message, expected);
    assert!(failure.hint.unwrap().contains("`compression`"));
    let error = world.fetch(&request.checksum(sha256(b"other"))).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
}

#[test]
fn limits_hold_before_and_after_unpacking() {
    let bomb = gzip(&vec![0; 10 << 20]);
    let served = bomb.clone();
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/chunked" => Reply::ok(served.clone()).delivery(Delivery::Chunked),
        _ => Reply::ok(served.clone()),
    });
    let world = World::new();
    let limit = ByteSize(1 << 20);
    let unpacked =
        Request { largest_artifact: limit, ..Request::new(server.url("/x")).compression(Compression::Gzip) };
    let error = world.fetch(&unpacked).unwrap_err();
    let message = format!("`{}` is larger than the limit of 1 MiB", server.url("/x"));
    assert_eq!((error.to_string(), error.root_cause()), (message, Cause::ImageUnusable));
    for path in ["/x", "/chunked"] {
        let request = Request { largest_download: ByteSize(1000), ..Request::new(server.url(path)) };
        assert!(matches!(world.fetch(&request), Err(FetchError::TooLarge { .. })), "{path}");
    }
    assert!(world.leftovers().is_empty());
    assert_eq!(world.store.usage().unwrap().objects, 0);
}

#[test]
fn holes_of_an_image_take_no_room() {
    let mut image = vec![0; 8 << 20];
    image[5_000_000..5_000_010].copy_from_slice(b"superblock");
    let packed = gzip(&image);
    let server = Server::start(move |_| Reply::ok(packed.clone()));
    let world = World::new();
    let artifact = world.fetch(&Request::new(server.url("/x")).compression(Compression::Gzip)).unwrap();
    assert_eq!(contents(&artifact), image);
    assert!(world.store.usage().unwrap().bytes < ByteSize(1 << 20));
}

#[test]
fn a_zip_archive_gives_the_file_it_is_named_after() {
    // One stored member `disk.img` with the contents "image".
    let archive = include_bytes!("../disk.img.zip");
    let server = Server::start(move |_| Reply::ok(archive));
    let world = World::new();
    let artifact =
        world.fetch(&Request::new(server.url("/disk.img.zip")).compression(Compression::Zip)).unwrap();
    assert_eq!((artifact.name(), contents(&artifact)), ("disk.img", b"image".to_vec()));
    assert!(world.leftovers().is_empty());
}

#[test]
fn schemes_that_are_not_ours_are_refused_with_what_to_do() {
    let world = World::new();
    let check = |url: &str, hint: &str| {
        let failure = world.fetch(&Request::new(url)).unwrap_err().failure();
        assert_eq!(failure.cause, Cause::InvalidDefinition);
        assert!(failure.hint.as_deref().unwrap_or_default().contains(hint), "{failure:?}");
    };
    check("scp://user@host/x", "copy the file beforehand");
    check("rclone://remote/x", "rclone");
    check("downloads://x", "deploy: to: downloads");
    check("ftp://host/x", "use `http`, `https` or `file`");
}

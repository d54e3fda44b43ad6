//! What is removed, and what is not.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use pumice_store::{Origin, Prune, Request};
use pumice_types::ByteSize;

use crate::{
    server::{Reply, Server},
    world::{World, contents, noise},
};

/// A server that has a file of 64 KiB under every path, each another.
fn many() -> Server {
    Server::start(|seen| {
        let mut body = noise(64 << 10);
        body[..seen.path.len()].copy_from_slice(seen.path.as_bytes());
        Reply::ok(body).header("ETag", format!("\"{}\"", seen.path))
    })
}

#[test]
fn the_least_recently_used_goes_first_and_what_is_in_use_stays() {
    let (world, server) = (World::new(), many());
    let get = |path: &str| world.fetch(&Request::new(server.url(path))).unwrap();
    let kept = get("/a");
    for path in ["/b", "/c", "/d"] {
        drop(get(path));
    }
    // `/b` is used again, so `/c` is the oldest that nobody uses.
    let again = get("/b").digest();
    let size = |objects: u64| Prune { largest: Some(ByteSize(objects * (64 << 10))), unused_for: None };
    let now = SystemTime::now();
    let pruned = world.store.prune(size(3), now).unwrap();
    assert_eq!((pruned.objects, pruned.bytes, pruned.in_use), (1, ByteSize(64 << 10), 1));
    assert!(world.store.lease(again).unwrap().is_some());

    let pruned = world.store.prune(size(0), now).unwrap();
    assert_eq!((pruned.objects, pruned.in_use), (2, 1));
    assert_eq!(contents(&kept).len(), 64 << 10);
    let digest = kept.digest();
    drop(kept);
    assert_eq!(world.store.prune(size(0), now).unwrap().objects, 1);
    assert!(world.store.lease(digest).unwrap().is_none());
    assert_eq!(world.store.usage().unwrap().objects, 0);
}

#[test]
fn what_was_not_used_for_long_goes() {
    let (world, server) = (World::new(), many());
    drop(world.fetch(&Request::new(server.url("/a"))).unwrap());
    let day = Duration::from_secs(24 * 3600);
    let rules = Prune { unused_for: Some(day), largest: None };
    assert_eq!(world.store.prune(rules, SystemTime::now()).unwrap().objects, 0);
    assert_eq!(world.store.prune(rules, SystemTime::now() + day).unwrap().objects, 1);
}

#[test]
fn hints_go_with_their_objects_and_the_next_fetch_starts_over() {
    let (world, server) = (World::new(), many());
    let request = Request::new(server.url("/a"));
    drop(world.fetch(&request).unwrap());
    world.store.prune(Prune { unused_for: Some(Duration::ZERO), largest: None }, SystemTime::now()).unwrap();
    for directory in ["sources", "urls", "files", "leases", "locks"] {
        let left = fs::read_dir(world.store.directory().join(directory)).unwrap().count();
        assert_eq!(left, 0, "{directory}");
    }
    assert_eq!(world.fetch(&request).unwrap().origin(), Origin::Fetched);
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    let world = World::new();
    fs::write(world.store.directory().join("version"), "pumice-store 2\n").unwrap();
    let error = pumice_store::Store::open(world.store.directory()).unwrap_err();
    assert!(
        error.to_string().ends_with("is of the version `pumice-store 2`, which we do not know"),
        "{error}"
    );
}

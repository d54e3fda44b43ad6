//! A process that dies at any moment leaves a store that works.

use std::{thread, time::Duration};

use pumice_store::{Prune, Request, Store};

use crate::{
    server::{Reply, Server},
    sharing::spawn_child,
    world::{World, contents, fetch, noise, policy},
};

/// How many processes are killed.
const ROUNDS: u32 = 60;

#[test]
fn a_process_killed_at_any_moment_leaves_a_store_that_works() {
    let server = Server::start(|seen| {
        let mut body = noise(1 << 20);
        body[..seen.path.len()].copy_from_slice(seen.path.as_bytes());
        Reply::ok(body).header("ETag", format!("\"{}\"", seen.path))
    });
    let world = World::new();
    let mut killed = 0;
    for round in 0..ROUNDS {
        let urls: Vec<_> = (0..4).map(|file| server.url(&format!("/{round}-{file}"))).collect();
        let before = server.seen().len();
        let mut child = spawn_child(&world.store, &urls);
        // Before the first request, or after one of the first three: each file is another chance to be in the
        // middle of something.
        let wanted = before + usize::try_from(round % 4).unwrap();
        while server.seen().len() < wanted && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        // Not a wait for something to happen: the moment is meant to be arbitrary.
        thread::park_timeout(Duration::from_micros(u64::from(round / 4) * 700));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());

        // The next one opens the store, finds every object whole, and fetches the same files.
        let store = Store::open(world.store.directory()).unwrap().with_policy(policy());
        assert!(world.leftovers().is_empty(), "round {round}");
        let artifact = fetch(&store, &Request::new(&urls[0])).0.unwrap();
        assert!(contents(&artifact).starts_with(format!("/{round}-0").as_bytes()));
    }
    assert!(killed > ROUNDS / 4, "only {killed} of {ROUNDS} were killed in time");
    assert!(world.store.verify().unwrap().is_empty());

    // Nothing the dead held is held.
    let rules = Prune { unused_for: Some(Duration::ZERO), largest: None };
    let pruned = world.store.prune(rules, std::time::SystemTime::now()).unwrap();
    assert_eq!(pruned.in_use, 0);
    assert_eq!(world.store.usage().unwrap().objects, 0);
}

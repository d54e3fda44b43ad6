//! A process that dies at any moment leaves a store that works.

use std::{
    thread,
    time::{Duration, Instant},
};

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
    // How long a child lives that nobody kills; the kills are spread over that time.
    let begin = Instant::now();
    assert!(spawn_child(&world.store, &[server.url("/warm-up")]).wait().unwrap().success());
    let life = begin.elapsed();

    let mut killed = 0;
    for round in 0..ROUNDS {
        let urls: Vec<_> = (0..4).map(|file| server.url(&format!("/{round}-{file}"))).collect();
        let mut child = spawn_child(&world.store, &urls);
        // Not a wait for something to happen: the moment is meant to be arbitrary.
        thread::park_timeout(life * 2 * round / ROUNDS);
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

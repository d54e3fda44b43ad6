//! Several jobs at once, as threads and as processes.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use pumice_store::{Cancel, Control, Digest, Progress, Prune, Request, Store};
use pumice_types::Deadline;

use crate::{
    server::{Reply, Server},
    world::{World, contents, fetch, noise, policy},
};

/// Names the store and the URL to a child process.
pub(crate) const STORE: &str = "PUMICE_TEST_STORE";
pub(crate) const URLS: &str = "PUMICE_TEST_URLS";

/// This test binary again, running only `child_that_fetches`.
pub(crate) fn spawn_child(store: &Store, urls: &[String]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sharing::child_that_fetches", "--ignored", "--nocapture"])
        .env(STORE, store.directory())
        .env(URLS, urls.join(" "))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What a child process does: it opens the store and fetches what it is told, checking each file.
#[test]
#[ignore = "runs only as a child process of the tests that need one"]
fn child_that_fetches() {
    let (Ok(directory), Ok(urls)) = (std::env::var(STORE), std::env::var(URLS)) else { return };
    let store = Store::open(directory.as_ref()).unwrap().with_policy(policy());
    for url in urls.split(' ') {
        let artifact = fetch(&store, &Request::new(url)).0.unwrap();
        let bytes = contents(&artifact);
        assert_eq!(Digest::of(&bytes), artifact.digest());
    }
}

#[test]
fn jobs_that_want_the_same_file_at_once_fetch_it_once() {
    // The server answers only when all others wait for the one that asks.
    let waiting = Arc::new(AtomicUsize::new(0));
    let server = {
        let waiting = Arc::clone(&waiting);
        Server::start(move |_| {
            while waiting.load(Ordering::SeqCst) < 5 {
                thread::yield_now();
            }
            Reply::ok(noise(300_000)).header("ETag", "\"1\"")
        })
    };
    let world = World::new();
    let request = Request::new(server.url("/x"));
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(60), "the test");
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut progress = |progress| {
                    waiting.fetch_add(usize::from(progress == Progress::Waiting), Ordering::SeqCst);
                };
                let (cancel, deadline) = (&Cancel::new(), &deadline);
                let mut control = Control { deadline, cancel, progress: &mut progress };
                let artifact = world.store.fetch(&request, &mut control).unwrap();
                assert_eq!(contents(&artifact).len(), 300_000);
            });
        }
    });
    let whole = server.seen().iter().filter(|seen| seen.header("if-none-match").is_none()).count();
    assert_eq!(whole, 1);
}

#[test]
fn processes_share_a_store() {
    let server = Server::start(|seen| {
        let mut body = noise(200_000);
        body[..seen.path.len()].copy_from_slice(seen.path.as_bytes());
        Reply::ok(body)
    });
    let world = World::new();
    let urls: Vec<_> = (0..5).map(|number| server.url(&format!("/{number}"))).collect();
    let children: Vec<_> = (0..4)
        .map(|number| {
            let mut urls = urls.clone();
            urls.rotate_left(number);
            spawn_child(&world.store, &urls)
        })
        .collect();
    // Another process prunes everything, again and again, all the while.
    let mut running = children;
    while !running.is_empty() {
        let rules = Prune { unused_for: Some(Duration::ZERO), largest: None };
        world.store.prune(rules, SystemTime::now()).unwrap();
        running.retain_mut(|child| match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success(), "{status}");
                false
            }
            None => true,
        });
    }
    assert!(world.store.verify().unwrap().is_empty());
    assert!(world.leftovers().is_empty());
}

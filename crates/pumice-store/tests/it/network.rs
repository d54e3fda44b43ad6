//! Servers and lines that fail, and what they may not be asked.

use std::{
    net::IpAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pumice_image::Compression;
use pumice_store::{Cancel, FetchError, Policy, Progress, Request};
use pumice_types::{Blame, Cause, Deadline, Fault};

use crate::{
    server::{Delivery, Reply, Server},
    world::{World, contents, fetch, fetch_until, gzip, noise, policy},
};

#[test]
fn a_server_that_is_overloaded_is_asked_again() {
    for status in [408, 413, 425, 429, 500, 502, 503, 504] {
        let server = Server::start_counting(move |number, _| match number {
            0 => Reply::status(status).header("Retry-After", "0"),
            _ => Reply::ok("image"),
        });
        let world = World::new();
        let (artifact, progress) = fetch(&world.store, &Request::new(server.url("/x")));
        assert_eq!(contents(&artifact.unwrap()), b"image", "{status}");
        let reason = format!("the server answered {status}");
        let is_told = |progress: &&Progress| match progress {
            Progress::Retrying { reason: found, attempt: 1, .. } => found.starts_with(&reason),
            _ => false,
        };
        assert_eq!(progress.iter().filter(is_told).count(), 1, "{progress:?}");
    }
}

#[test]
fn what_is_refused_is_refused_at_once() {
    for (status, words) in [(401, "401 Unauthorized"), (403, "403 Forbidden"), (404, "404 Not Found")] {
        let server = Server::start(move |_| Reply::status(status));
        let world = World::new();
        let url = server.url("/x").replace("http://", "http://jo:secret@") + "?token=secret";
        let failure = world.fetch(&Request::new(url)).unwrap_err().failure();
        assert_eq!((failure.cause, failure.fault), (Cause::DownloadRefused, Fault::Job));
        let expected = format!("`{}?…` was refused: the server answered {words}", server.url("/x"));
        assert_eq!(failure.message, expected);
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn a_server_that_never_recovers_is_given_up_with_the_last_reason() {
    let server = Server::start(|_| Reply::status(503));
    let world = World::new();
    let failure = world.fetch(&Request::new(server.url("/x"))).unwrap_err().failure();
    assert_eq!((failure.cause, failure.fault), (Cause::DownloadFailed, Fault::Infrastructure));
    let url = server.url("/x");
    let expected =
        format!("`{url}` could not be downloaded in 4 attempts: the server answered 503 Service Unavailable");
    assert_eq!(failure.message, expected);
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn nobody_listening_is_the_networks_fault() {
    let server = Server::start(|_| Reply::ok(""));
    let url = server.url("/x");
    drop(server);
    let failure = World::new().fetch(&Request::new(&url)).unwrap_err().failure();
    assert_eq!(failure.cause, Cause::DownloadFailed);
    assert!(failure.message.contains("in 4 attempts: Connection refused"), "{failure}");
}

#[test]
fn a_truncated_download_goes_on_where_it_broke_off() {
    let image = noise(100_000);
    let packed = gzip(&image);
    for validator in [("ETag", "\"1\""), ("Last-Modified", "Tue, 01 Feb 2022 10:00:00 GMT")] {
        let served = packed.clone();
        let server = Server::start_counting(move |number, seen| {
            let (name, value) = validator;
            let reply = match seen.range_start() {
                Some(start) if seen.header("if-range") == Some(value) => Reply::part(&served, start),
                _ => Reply::ok(served.clone()),
            };
            let reply = reply.header(name, value);
            // Six breaks, more than there are attempts: what gets further is not given up.
            if number < 6 { reply.delivery(Delivery::CutAfter(7_000)) } else { reply }
        });
        let world = World::new();
        let request = Request::new(server.url("/x.gz")).compression(Compression::Gzip);
        assert_eq!(contents(&world.fetch(&request).unwrap()), image);
        let starts: Vec<_> = server.seen().iter().map(crate::server::Seen::range_start).collect();
        let expected =
            [None, Some(7_000), Some(14_000), Some(21_000), Some(28_000), Some(35_000), Some(42_000)];
        assert_eq!(starts, expected);
    }
}

#[test]
fn a_truncated_download_begins_again_where_it_cannot_go_on() {
    let image = noise(50_000);
    let check = |headers: &'static [(&'static str, &'static str)], cut: Delivery, requests: usize| {
        let served = image.clone();
        let server = Server::start_counting(move |number, seen| {
            let reply = match seen.range_start() {
                // The file changed: the server sends all of it.
                Some(_) => Reply::ok(served.clone()).header("ETag", "\"2\""),
                None => Reply::ok(served.clone()),
            };
            let reply = headers.iter().fold(reply, |reply, (name, value)| reply.header(name, *value));
            if number == 0 { reply.delivery(cut) } else { reply }
        });
        let world = World::new();
        let artifact = world.fetch(&Request::new(server.url("/x"))).unwrap();
        assert_eq!(contents(&artifact), image);
        assert_eq!(server.seen().len(), requests);
        assert!(world.leftovers().is_empty());
    };
    check(&[], Delivery::CutAfter(9_000), 2);
    check(&[("ETag", "W/\"weak\"")], Delivery::CutAfter(9_000), 2);
    check(&[], Delivery::ChunkedCut, 2);
    check(&[("ETag", "\"1\"")], Delivery::CutAfter(9_000), 3);
}

#[test]
fn a_download_that_is_always_truncated_is_an_error_and_no_artifact() {
    for delivery in [Delivery::CutAfter(10), Delivery::ChunkedCut] {
        let server = Server::start(move |_| Reply::ok(noise(5_000)).delivery(delivery));
        let world = World::new();
        let error = world.fetch(&Request::new(server.url("/x"))).unwrap_err();
        assert_eq!(error.root_cause(), Cause::DownloadFailed, "{error}");
        assert_eq!(world.store.usage().unwrap().objects, 0);
        assert!(world.leftovers().is_empty());
    }
}

#[test]
fn a_redirect_is_followed_and_takes_no_secret_to_another_host() {
    let target = Server::start(|_| Reply::ok("image"));
    let target_url = target.url("/b/image");
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/x?q" => Reply::status(302).header("Location", "/moved/../here"),
        "/here" => Reply::status(307).header("Location", target_url.clone()),
        other => panic!("{other}"),
    });
    let world = World::new();
    let url = server.url("/x?q").replace("http://", "http://jo:pw@");
    let mut request = Request::new(url);
    request.headers.push(("PRIVATE-TOKEN".to_owned(), "secret".to_owned()));
    assert_eq!(contents(&world.fetch(&request).unwrap()), b"image");
    for seen in server.seen() {
        assert_eq!(seen.header("private-token"), Some("secret"));
        assert_eq!(seen.header("authorization"), Some("Basic am86cHc="));
    }
    let last = &target.seen()[0];
    assert_eq!((last.header("private-token"), last.header("authorization")), (None, None));
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn redirects_end() {
    let server = Server::start(|_| Reply::status(301).header("Location", "/x"));
    let world = World::new();
    let error = world.fetch(&Request::new(server.url("/x"))).unwrap_err();
    assert!(matches!(error, FetchError::Redirects { count: 11, .. }), "{error}");
    assert_eq!(server.seen().len(), 11);

    let server = Server::start(|_| Reply::status(302).header("Location", "file:///etc/passwd"));
    let error = world.fetch(&Request::new(server.url("/x"))).unwrap_err();
    assert!(error.to_string().contains("redirects to a file of this host"), "{error}");
}

#[test]
fn addresses_the_lab_forbids_are_not_talked_to() {
    let hidden = Server::start(|_| Reply::ok("secret"));
    let port = hidden.url("").rsplit(':').next().unwrap().to_owned();
    let world = World::with(Policy {
        is_address_allowed: Some(Arc::new(|address: IpAddr| !address.is_loopback())),
        ..policy()
    });
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let failure = world.fetch(&Request::new(format!("http://{host}:{port}/x"))).unwrap_err().failure();
        assert_eq!(failure.cause, Cause::DownloadRefused, "{host}: {failure}");
        assert!(failure.message.contains("which jobs may not use"), "{host}: {failure}");
    }
    assert!(hidden.seen().is_empty());
}

#[test]
fn a_silent_server_runs_into_the_deadline_whose_owner_is_named() {
    let server = Server::start(|_| Reply::ok(noise(5_000)).delivery(Delivery::StallAfter(100)));
    let world = World::new();
    let deadline = Deadline::after(Instant::now(), Duration::from_millis(200), "http-download");
    let (result, _) = fetch_until(&world.store, &Request::new(server.url("/x")), &deadline, &Cancel::new());
    let failure = result.unwrap_err().failure();
    assert_eq!(failure.cause, Cause::StepTimeout);
    assert!(failure.message.starts_with("http-download timed out after 0 seconds"), "{failure}");
    assert!(failure.message.contains(&server.url("/x")), "{failure}");
}

#[test]
fn a_silent_server_is_asked_again_after_the_stall() {
    let server = Server::start_counting(|number, _| match number {
        0 => Reply::ok("image").delivery(Delivery::StallAfter(2)),
        _ => Reply::ok("image"),
    });
    let world = World::with(Policy { stall: Duration::from_millis(100), ..policy() });
    let (artifact, progress) = fetch(&world.store, &Request::new(server.url("/x")));
    assert_eq!(contents(&artifact.unwrap()), b"image");
    assert!(matches!(&progress[..], [.., Progress::Retrying { .. }, Progress::Received { bytes: 5, .. }]));
}

#[test]
fn a_cancel_interrupts_who_waits_for_bytes() {
    let server = Server::start(|_| Reply::ok(noise(5_000)).delivery(Delivery::StallAfter(100)));
    let world = World::new();
    let cancel = Cancel::new();
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(3600), "the job");
    let thread = {
        let (store, cancel, request) = (world.store.clone(), cancel.clone(), Request::new(server.url("/x")));
        thread::spawn(move || fetch_until(&store, &request, &deadline, &cancel).0)
    };
    while server.seen().is_empty() {
        thread::yield_now();
    }
    cancel.cancel();
    let error = thread.join().unwrap().unwrap_err();
    assert!(matches!(error, FetchError::Cancelled(_)), "{error}");
    assert!(world.leftovers().is_empty());
}

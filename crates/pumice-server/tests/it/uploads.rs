//! Files that people send for their jobs, from the first piece to the worker, and to their end.

use std::time::Duration;

use pumice_types::ByteSize;
use serde_json::{Value, json};

use crate::{
    exchange::LavaWorker,
    lab::{JOB, Lab},
};

/// SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Sends a piece of `hello`, or of something else that is said to be it.
fn put(lab: &Lab, token: &str, offset: usize, piece: &[u8]) -> (u16, Value) {
    put_sized(lab, token, offset, piece, 5)
}

fn put_sized(lab: &Lab, token: &str, offset: usize, piece: &[u8], size: u64) -> (u16, Value) {
    let authorization = format!("Token {token}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/octet-stream")];
    let path = format!("/api/v0.2/uploads/{HELLO}/?name=zImage&size={size}&offset={offset}");
    let (status, text) = lab.send("PUT", &path, &headers, piece);
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn job() -> String {
    JOB.replace("http://example.invalid/k", &format!("upload://{HELLO}/zImage"))
}

fn submit(lab: &Lab, token: &str) -> (u16, String) {
    lab.rest_as(token, "POST", "/jobs/", &json!({"definition": job()}))
}

#[test]
fn a_file_comes_in_pieces_and_its_place_says_how_far_it_is() {
    let lab = Lab::start();
    let token = lab.user("ann");
    let place = || lab.rest_as(&token, "GET", &format!("/uploads/{HELLO}/"), &Value::Null);
    assert_eq!(place().0, 404);
    let (status, upload) = put(&lab, &token, 0, b"he");
    assert_eq!((status, &upload["offset"], &upload["complete"]), (200, &json!(2), &json!(false)), "{upload}");
    assert_eq!(put(&lab, &token, 4, b"o").0, 409, "bytes before it are missing");
    let upload: Value = serde_json::from_str(&place().1).unwrap();
    assert_eq!(
        (&upload["offset"], &upload["name"], &upload["size"]),
        (&json!(2), &json!("zImage"), &json!(5))
    );
    assert_eq!(put(&lab, &token, 0, b"hell").1["offset"], 4, "what is there is skipped");
    assert_eq!(put(&lab, &token, 4, b"o").1["complete"], true);
    assert_eq!(put(&lab, &token, 4, b"o").1["complete"], true, "a repetition");
    let audit = lab.rest("GET", "/audit/", &Value::Null).to_string();
    assert!(audit.contains("\"upload\"") && audit.contains("zImage"), "{audit}");
}

#[test]
fn what_does_not_add_up_is_refused() {
    let lab = Lab::start_with(None, |config| {
        config.upload_limit = ByteSize(100);
        config.upload_quota = ByteSize(50);
    });
    let token = lab.user("ann");
    let check = |found: (u16, Value), status: u16, words: &str| {
        assert_eq!(found.0, status, "{}", found.1);
        assert!(found.1["detail"].as_str().unwrap().contains(words), "{}", found.1);
    };
    check(put(&lab, &token, 0, b"hallo"), 422, "do not have the digest");
    check(put_sized(&lab, &token, 0, b"x", 101), 400, "at most 100 B");
    check(put_sized(&lab, &token, 0, b"x", 51), 403, "`pumice uploads`");
    check(put(&lab, "wrong", 0, b"hello"), 401, "Invalid token");
    let headers = [("Authorization", format!("Token {token}"))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for path in [
        "abc/?name=x&size=1&offset=0",
        &format!("{HELLO}/?name=x&size=1"),
        "..%2f..%2fx/?name=x&size=1&offset=0",
    ] {
        let (status, text) = lab.send("PUT", &format!("/api/v0.2/uploads/{path}"), &headers, b"x");
        assert!(status == 400 || status == 404, "{path}: {status} {text}");
    }
    let read_only = lab.rest("POST", "/token/", &json!({"scopes": "read"}));
    check(put(&lab, read_only["token"].as_str().unwrap(), 0, b"hello"), 403, "may not be used to submit");
}

#[test]
fn only_who_has_sent_a_file_may_name_it_in_a_job() {
    let lab = Lab::start();
    lab.with_device();
    let (ann, bob) = (lab.user("ann"), lab.user("bob"));
    put(&lab, &ann, 0, b"hell");
    let (status, refused) = submit(&lab, &ann);
    assert!(status == 400 && refused.contains("is not on the server"), "it is not whole: {refused}");
    put(&lab, &ann, 4, b"o");
    let (status, accepted) = submit(&lab, &ann);
    assert_eq!(status, 201, "{accepted}");
    let id = serde_json::from_str::<Value>(&accepted).unwrap()["job_ids"][0].as_i64().unwrap();

    assert_eq!(submit(&lab, &bob).0, 400, "who knows a digest does not have the file");
    assert_eq!(put(&lab, &bob, 0, b"h").1["offset"], 1, "and must send all of it");
    let (status, again) = lab.rest_as(&bob, "POST", &format!("/jobs/{id}/resubmit/"), &json!({}));
    assert_eq!(status, 201, "who sees the job may have it run again: {again}");

    let remove = |token: &str| lab.rest_as(token, "DELETE", &format!("/uploads/{HELLO}/"), &Value::Null).0;
    assert_eq!(remove(&ann), 409, "a job needs it");
    for job in [id, id + 1] {
        lab.rest("GET", &format!("/jobs/{job}/cancel/"), &Value::Null);
    }
    assert_eq!((remove(&ann), remove(&ann)), (204, 404));
    assert_eq!(submit(&lab, &ann).0, 400, "it is gone");
}

#[test]
fn the_worker_that_has_the_job_gets_an_address_that_opens_the_file_and_nobody_else_does() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    worker.ping();
    put(&lab, &lab.token, 0, b"hello");
    let (_, accepted) = submit(&lab, &lab.token);
    assert!(accepted.contains("job_ids"), "{accepted}");
    let (id, token) = worker.offered();

    let headers = [("LAVA-Token", token.as_str()), ("Host", "lab.example:8000")];
    let (_, fetched) = lab.send("GET", &format!("/scheduler/internal/v1/jobs/{id}/"), &headers, b"");
    let fetched: Value = serde_json::from_str(&fetched).unwrap();
    let definition = fetched["definition"].as_str().unwrap();
    assert!(definition.contains(&format!("sha256sum: {HELLO}")), "{definition}");
    let address =
        definition.lines().find_map(|line| line.trim().strip_prefix("url: ")).unwrap().trim_matches('\'');
    let path = address.strip_prefix("http://lab.example:8000").expect("as the worker reached it");
    assert_eq!(lab.send("GET", path, &[], b""), (200, "hello".to_owned()));
    assert_eq!(lab.send("GET", path, &[("Range", "bytes=3-")], b""), (206, "lo".to_owned()));
    for wrong in [
        path.split('?').next().unwrap().to_owned(),
        path.replace("capability=", "capability=x"),
        path.replace("fence=1", "fence=2"),
        path.replace(HELLO, &HELLO.replace('2', "3")),
    ] {
        let status = lab.send("GET", &wrong, &[], b"").0;
        assert!(status == 404 || status == 400, "{wrong}: {status}");
    }
    let shown = lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null);
    assert!(shown["definition"].as_str().unwrap().contains(&format!("upload://{HELLO}/zImage")));
    assert!(!shown.to_string().contains("capability"), "what is kept holds no secret");

    lab.rest("POST", &format!("/jobs/{id}/give_up/"), &Value::Null);
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["state"], "Finished");
    assert_eq!(lab.send("GET", path, &[], b"").0, 404, "the job has ended");
}

#[test]
fn what_nobody_used_for_long_is_removed_when_the_server_looks() {
    let state = tempfile::tempdir().unwrap();
    let database = || Some(format!("sqlite:{}", state.path().join("lab.db").display()));
    let keep = |config: &mut pumice_server::Config| config.state = state.path().to_owned();
    let lab = Lab::start_with(database(), keep);
    let (whole, token) = (state.path().join("uploads/2c").join(HELLO), lab.token.clone());
    put(&lab, &token, 0, b"hello");
    assert!(whole.is_file());
    drop(lab);
    let lab = Lab::start_again(database(), |config| {
        keep(config);
        config.keep_uploads = Duration::ZERO;
    });
    // The server looks when it starts; the look has no end that could be waited for but this.
    while lab.rest_as(&token, "GET", &format!("/uploads/{HELLO}/"), &Value::Null).0 == 200 {
        std::thread::yield_now();
    }
    drop(lab);
    assert!(!whole.exists());
}

#[test]
fn a_disk_that_is_full_is_said_so_and_keeps_what_is_there() {
    let state = tempfile::tempdir().unwrap();
    let lab = Lab::start_with(None, |config| config.state = state.path().to_owned());
    put(&lab, &lab.token, 0, b"he");
    let parts = std::fs::read_dir(state.path().join("uploads/parts")).unwrap();
    let part =
        parts.map(|file| file.unwrap().path()).find(|path| path.extension().unwrap() == "part").unwrap();
    // Every write to this device fails for want of room (full(4)).
    std::fs::rename(&part, state.path().join("aside")).unwrap();
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let (status, refused) = put(&lab, &lab.token, 0, b"hello");
    assert_eq!(status, 503, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("no room left for `zImage`"), "{refused}");
    std::fs::remove_file(&part).unwrap();
    std::fs::rename(state.path().join("aside"), &part).unwrap();
    assert_eq!(put(&lab, &lab.token, 2, b"llo").1["complete"], true);
}

//! Our worker's protocol (`docs/protocol/worker.md`).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::lab::Lab;

pub(crate) struct Worker<'l> {
    pub(crate) lab: &'l Lab,
    pub(crate) token: String,
}

impl Worker<'_> {
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let (status, text) = self.lab.send(method, &format!("/api/worker/v1/{path}"), &headers, body);
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, body.to_string().as_bytes());
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }
}

pub(crate) fn hello(session: &str) -> Value {
    json!({
        "session": session, "protocol": 1, "version": "0.1.0",
        "host": {"hostname": "h", "architecture": "x86_64", "cores": 4, "memory_mib": 4096},
        "devices": [{"name": "offered-1", "device_type": "virtual", "slots": 2, "tags": ["fast"]}],
    })
}

pub(crate) fn joined(lab: &Lab) -> Worker<'_> {
    let registered = Worker { lab, token: lab.token.clone() }.post("register", &json!({"name": "w.1"}));
    Worker { lab, token: registered["token"].as_str().unwrap().to_owned() }
}

/// A worker, and the job that it runs under fence 1.
pub(crate) fn running(lab: &Lab) -> (Worker<'_>, i64) {
    lab.with_device();
    let worker = joined(lab);
    worker.post("session", &hello("a"));
    let id = lab.submit("tags: [fast]\n");
    worker.post("poll", &json!({"epoch": 1, "sequence": 1, "held": []}));
    worker.post(&format!("jobs/{id}/started"), &json!({"fence": 1}));
    (worker, id)
}

#[test]
fn a_worker_joins_offers_a_device_runs_a_job_and_leaves_files() {
    let lab = Lab::start();
    lab.with_device();
    let worker = joined(&lab);
    let welcome = worker.post("session", &hello("a"));
    assert_eq!((&welcome["epoch"], &welcome["protocol"]), (&json!(1), &json!(1)));
    assert_eq!(worker.post("session", &hello("a"))["epoch"], 1, "a repetition");
    assert_eq!(lab.rest("GET", "/devices/offered-1/", &Value::Null)["worker_host"], "w.1");
    let id = lab.submit("tags: [fast]\n");
    let orders = worker.post("poll", &json!({"epoch": 1, "sequence": 1, "held": [], "wait_ms": 5000}));
    assert_eq!(orders["offers"], json!([{"job": id, "fence": 1}]));
    let held = json!([{"job": id, "fence": 1, "phase": "accepted"}]);
    let orders = worker.post("poll", &json!({"epoch": 1, "sequence": 2, "held": held}));
    assert_eq!(orders, json!({"offers": [], "cancel": [], "stop": [], "channels": []}));
    let (status, package) = worker.ask("GET", &format!("jobs/{id}/package?fence=1"), b"");
    assert_eq!(status, 200, "{package}");
    assert!(package["device"].as_str().unwrap().contains("device_type: virtual"));
    worker.post(&format!("jobs/{id}/started"), &json!({"fence": 1}));
    let log = b"- {\"dt\": \"2026-11-22T11:23:45+00:00\", \"lvl\": \"results\", \"msg\": {\"definition\": \"0_x\", \"case\": \"t\", \"result\": \"pass\"}}\n";
    let put = |offset: usize, bytes: &[u8]| {
        worker.ask("PUT", &format!("jobs/{id}/log?fence=1&offset={offset}"), bytes)
    };
    assert_eq!(put(0, &log[..40]).1["offset"], 40);
    assert_eq!(put(0, log).1["offset"], log.len(), "bytes that are there are skipped");
    let (status, gap) = put(9999, b"x");
    assert_eq!((status, &gap["code"], &gap["offset"]), (409, &json!("offset-gap"), &json!(log.len())));
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let file = format!("jobs/{id}/files/trace.txt?fence=1&size=5&sha256={sha256}");
    let finish = json!({
        "fence": 1, "outcome": {"verdict": "complete"}, "log_bytes": log.len(),
        "files": [{"name": "trace.txt", "size": 5, "sha256": sha256}],
    });
    let (status, refused) = worker.ask("POST", &format!("jobs/{id}/finish"), finish.to_string().as_bytes());
    assert_eq!((status, &refused["code"]), (409, &json!("unfinished")));
    assert_eq!(
        worker.ask("PUT", &format!("{file}&offset=0"), b"hello").1,
        json!({"offset": 5, "complete": true})
    );
    worker.post(&format!("jobs/{id}/finish"), &finish);
    worker.post(&format!("jobs/{id}/finish"), &finish);
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["health"], "Complete");
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/tests/"), &Value::Null)["count"], 1);
    let (_, bytes) = lab.rest_as(&lab.token, "GET", &format!("/jobs/{id}/files/trace.txt"), &Value::Null);
    assert_eq!(bytes, "hello");
}

#[test]
fn an_older_session_and_another_fence_are_refused() {
    let lab = Lab::start();
    lab.with_device();
    let worker = joined(&lab);
    worker.post("session", &hello("a"));
    worker.post("session", &hello("b"));
    let poll = json!({"epoch": 1, "sequence": 1, "held": []}).to_string();
    let (status, said) = worker.ask("POST", "poll", poll.as_bytes());
    assert_eq!((status, &said["code"]), (409, &json!("stale-session")));
    let held = json!([{"job": 77, "fence": 1, "phase": "running"}]);
    let orders = worker.post("poll", &json!({"epoch": 2, "sequence": 1, "held": held}));
    assert_eq!(orders["stop"], json!([{"job": 77, "fence": 1}]), "it is nobody's");
    let id = lab.submit("tags: [fast]\n");
    let (status, said) = worker.ask("GET", &format!("jobs/{id}/package?fence=9"), b"");
    assert_eq!((status, &said["code"]), (409, &json!("stale-fence")));
    let nobody = Worker { lab: &lab, token: "w.1.wrong".into() };
    assert_eq!(nobody.ask("POST", "poll", poll.as_bytes()).0, 401);
}

#[test]
fn a_waiting_poll_is_answered_when_a_job_comes() {
    let lab = Lab::start();
    lab.with_device();
    let worker = joined(&lab);
    worker.post("session", &hello("a"));
    std::thread::scope(|scope| {
        let polled = scope
            .spawn(|| worker.post("poll", &json!({"epoch": 1, "sequence": 1, "held": [], "wait_ms": 20000})));
        let id = lab.submit("tags: [fast]\n");
        // Well before the poll's time is over, or this test would take that long.
        assert_eq!(polled.join().unwrap()["offers"][0]["job"], id);
    });
}

#[test]
fn a_channel_carries_bytes_both_ways() {
    let lab = Lab::start();
    let (worker, id) = running(&lab);
    let authorization = format!("Token {}", lab.token);
    let person = |method: &str, path: &str, body: &[u8]| {
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        lab.send(method, &format!("/api/pumice/v1/{path}"), &headers, body)
    };
    let (status, opened) = person("POST", &format!("jobs/{id}/channels"), b"{}");
    assert_eq!(status, 200, "{opened}");
    let channel = serde_json::from_str::<Value>(&opened).unwrap()["channel"].as_str().unwrap().to_owned();
    let held = json!([{"job": id, "fence": 1, "phase": "running"}]);
    let orders = worker.post("poll", &json!({"epoch": 1, "sequence": 2, "held": held}));
    assert_eq!(orders["channels"][0]["channel"], channel);
    assert_eq!(person("PUT", &format!("channels/{channel}?offset=0"), b"reboot\n").0, 200);
    let (_, heard) = worker.ask("GET", &format!("channels/{channel}?epoch=1&offset=0&wait_ms=1000"), b"");
    assert_eq!(heard, json!("reboot\n"));
    let answered = worker.ask("PUT", &format!("channels/{channel}?epoch=1&offset=0&end=true"), b"done\n");
    assert_eq!(answered.1, json!({"offset": 5, "complete": true}));
    assert_eq!(person("GET", &format!("channels/{channel}?offset=0&wait_ms=1000"), b"").1, "done\n");
    let stranger = lab.user("mallory");
    let headers = format!("Token {stranger}");
    let (status, _) = lab.send(
        "GET",
        &format!("/api/pumice/v1/channels/{channel}?offset=0"),
        &[("Authorization", headers.as_str())],
        b"",
    );
    assert_eq!(status, 404, "a channel is its owner's alone");
}

#[test]
fn a_person_whose_program_is_killed_is_gone_at_once() {
    let lab = Lab::start();
    let (worker, id) = running(&lab);
    let authorization = format!("Token {}", lab.token);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let (_, opened) = lab.send("POST", &format!("/api/pumice/v1/jobs/{id}/channels"), &headers, b"{}");
    let channel = serde_json::from_str::<Value>(&opened).unwrap()["channel"].as_str().unwrap().to_owned();
    // Takes as much as the server keeps, and is killed while it waits for more: that the server has its second request shows
    // in the worker's being let go on.
    let piece = vec![b'x'; 1 << 20];
    let path = format!("channels/{channel}?epoch=1&offset=0");
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| worker.ask("PUT", &path, &piece).0);
        let mut killed = TcpStream::connect(lab.url.trim_start_matches("http://")).unwrap();
        let ask = |mut connection: &TcpStream, offset: usize| {
            let path = format!("/api/pumice/v1/channels/{channel}?offset={offset}&wait_ms=60000");
            let head = format!("GET {path} HTTP/1.1\r\nHost: lab\r\nAuthorization: {authorization}\r\n\r\n");
            connection.write_all(head.as_bytes()).unwrap();
        };
        ask(&killed, 0);
        let (mut answer, mut some) = (Vec::new(), vec![0; 1 << 16]);
        while answer
            .windows(4)
            .position(|end| end == b"\r\n\r\n")
            .is_none_or(|head| answer.len() < head + 4 + piece.len())
        {
            let count = killed.read(&mut some).unwrap();
            assert_ne!(count, 0);
            answer.extend_from_slice(&some[..count]);
        }
        ask(&killed, piece.len());
        assert_eq!(sent.join().unwrap(), 200);
    });
    // The job hears that nothing follows, long before its own wait is over, and may say no more.
    worker.ask("GET", &format!("channels/{channel}?epoch=1&offset=0&wait_ms=20000"), b"");
    let path = format!("channels/{channel}?epoch=1&offset={}", piece.len());
    let (status, said) = worker.ask("PUT", &path, b"more");
    assert_eq!((status, &said["code"]), (409, &json!("conflict")), "{said}");
}

#[test]
fn a_busy_worker_is_not_slowed_down_by_the_limit_for_people() {
    let lab = Lab::start_with(None, |config| config.requests_per_second = 1);
    let worker = joined(&lab);
    worker.post("session", &hello("a"));
    for sequence in 1..=30 {
        worker.post("poll", &json!({"epoch": 1, "sequence": sequence, "held": []}));
    }
    let many = (0..30).map(|_| lab.send("GET", "/api/v0.2/system/version/", &[], b"").0);
    assert!(many.collect::<Vec<_>>().contains(&429), "people are counted, from the same address");
    worker.post("poll", &json!({"epoch": 1, "sequence": 31, "held": []}));
}

#[test]
fn a_role_that_is_a_connection_goes_beside_its_host_with_the_hosts_device() {
    let lab = Lab::start();
    lab.with_device();
    let dictionary = "{% extends 'virtual.jinja2' %}\n{% set name = 'host' %}\n";
    lab.rest("POST", "/devices/virtual01/dictionary/", &json!({ "dictionary": dictionary }));
    let worker = joined(&lab);
    worker.post("session", &hello("a"));
    let job = "job_name: logins\nvisibility: public\ntimeouts: {job: {minutes: 5}, action: {minutes: 2}, connection: {minutes: 1}}\n\
        protocols: {lava-multinode: {roles: {host: {device_type: virtual, count: 1, tags: [fast]}, \
        guest: {connection: ssh, count: 1, host_role: host, expect_role: host, request: lava-start}}}}\n\
        actions:\n- deploy: {role: [host, guest], to: ssh, os: oe}\n\
        - boot: {role: [host, guest], method: ssh, prompts: ['#']}\n";
    let submitted = lab.rest("POST", "/jobs/", &json!({ "definition": job }));
    assert_eq!(submitted["job_ids"].as_array().map(Vec::len), Some(2), "{submitted}");
    let orders = worker.post("poll", &json!({"epoch": 1, "sequence": 1, "held": [], "wait_ms": 5000}));
    assert_eq!(orders["offers"], json!([{"job": 1, "fence": 1}, {"job": 2, "fence": 1}]));
    for id in [1, 2] {
        let (status, package) = worker.ask("GET", &format!("jobs/{id}/package?fence=1"), b"");
        assert_eq!(status, 200, "{package}");
        assert!(package["device"].as_str().unwrap().contains("device_type: virtual"), "{package}");
        assert_eq!(package["node_workers"], json!({"1": "w.1", "2": "w.1"}));
        let is_connection = package["definition"].as_str().unwrap().contains("host_role: host");
        assert_eq!(is_connection, id == 2, "{package}");
    }
}

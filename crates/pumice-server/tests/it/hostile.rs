//! Lies, floods and slowness from people, workers and devices: each is refused or made harmless, and the server goes on.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    exchange::LavaWorker,
    lab::{JOB, Lab},
    own_worker::{Worker, hello, running},
};

impl Lab {
    /// The server does its work.
    #[track_caller]
    fn is_well(&self) {
        let (status, said) = self.send("GET", "/v1/healthz/", &[], b"");
        assert_eq!(status, 200, "{said}");
    }

    /// Sends bytes as they are; what comes back until the server closes or says nothing for a moment.
    fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // A server that has refused may have closed before all was sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return answer,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                    ) =>
                {
                    return answer;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Asks for a WebSocket (RFC 6455, section 1.2).
const UPGRADE: &[u8] = b"GET /ws/ HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// `value` with another `field`.
fn with(mut value: Value, field: &str, other: Value) -> Value {
    value[field] = other;
    value
}

const CASE: &str = "- {\"dt\": \"2026-11-22T11:23:45+00:00\", \"lvl\": \"results\", \"msg\": {\"definition\": \"0_x\", \"case\": \"t\", \"result\": \"pass\"}}\n";

#[test]
fn a_worker_that_lies_changes_nothing() {
    let lab = Lab::start();
    let (worker, id) = running(&lab);
    let log = |fence: i64, offset: u64| {
        let path = format!("jobs/{id}/log?fence={fence}&offset={offset}");
        let (status, said) = worker.ask("PUT", &path, CASE.as_bytes());
        (status, said["code"].as_str().unwrap_or_default().to_owned())
    };
    let said = |status: u16, code: &str| (status, code.to_owned());
    for fence in [0, 2, i64::MAX] {
        assert_eq!(log(fence, 0), said(409, "stale-fence"), "fence {fence}");
    }
    assert_eq!(log(1, 1), said(409, "offset-gap"));
    assert_eq!(log(1, u64::MAX), said(400, "invalid"), "an offset beyond every log");
    assert_eq!(log(1, 0), said(200, ""));
    assert_eq!(log(1, 0), said(200, ""), "a replayed piece");
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/tests/"), &Value::Null)["count"], 1, "counts once");

    // What cannot even be read is refused in the shape of all refusals, and never taken for a damaged file.
    for (method, path, body) in [
        ("POST", "poll", b"{\"epoch\": -1}".as_slice()),
        ("POST", "poll", b"\xff"),
        ("GET", "jobs/1/package?fence=-1", b""),
        ("GET", "jobs/x/package?fence=1", b""),
    ] {
        let (status, refused) = worker.ask(method, path, body);
        assert_eq!((status, &refused["code"]), (400, &json!("invalid")), "{path}: {refused}");
    }
    let many = json!(
        (0..1000)
            .map(|number| json!({"name": format!("d{number}"), "device_type": "virtual"}))
            .collect::<Vec<_>>()
    );
    let (status, refused) =
        worker.ask("POST", "session", &serde_json::to_vec(&with(hello("b"), "devices", many)).unwrap());
    assert_eq!((status, &refused["code"]), (400, &json!("invalid")));

    // Somebody else's job, and a job of nobody.
    let other = Worker { lab: &lab, token: worker_token(&lab, "w.2") };
    let (status, refused) = other.ask("PUT", &format!("jobs/{id}/log?fence=1&offset=0"), b"- x\n");
    assert_eq!((status, &refused["code"]), (409, &json!("stale-fence")));
    let (status, _) = other.ask("GET", &format!("jobs/{id}/package?fence=1"), b"");
    assert_eq!(status, 409);
    assert_eq!(worker.ask("GET", "jobs/99/package?fence=1", b"").0, 404);

    // A finish that announces more than was sent, then the true one, then others.
    let finish = |bytes: u64, verdict: &str| {
        let outcome = json!({"fence": 1, "outcome": {"verdict": verdict}, "log_bytes": bytes});
        worker.ask("POST", &format!("jobs/{id}/finish"), outcome.to_string().as_bytes()).0
    };
    assert_eq!(finish(CASE.len() as u64 + 1, "complete"), 409);
    assert_eq!(finish(CASE.len() as u64, "complete"), 200);
    let health = || lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["health"].clone();
    assert_eq!(health(), "Complete");
    assert_eq!(finish(0, "incomplete"), 200, "a repetition, whatever it says");
    assert_eq!(health(), "Complete", "a verdict stays");
    let more = format!("jobs/{id}/log?fence=1&offset={}", CASE.len());
    assert_eq!(worker.ask("PUT", &more, CASE.as_bytes()).0, 409, "and nothing is added to the log");
    let file = format!("jobs/{id}/files/late.txt?fence=1&offset=0&size=1&sha256=x");
    assert_eq!(worker.ask("PUT", &file, b"x").0, 409, "nor a file");
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/tests/"), &Value::Null)["count"], 1);

    // Polls of the past, of a session that never was, and of jobs that are not.
    let poll = |body: Value| worker.ask("POST", "poll", body.to_string().as_bytes());
    let held =
        json!([{"job": id, "fence": 1, "phase": "running"}, {"job": -5, "fence": 0, "phase": "shipping"}]);
    assert_eq!(poll(json!({"epoch": 9, "sequence": 1, "held": []})).0, 409);
    let (status, orders) = poll(json!({"epoch": 1, "sequence": 1, "held": held}));
    assert_eq!((status, orders["stop"].as_array().unwrap().len()), (200, 2), "{orders}");
    lab.is_well();
}

fn worker_token(lab: &Lab, name: &str) -> String {
    let registered = Worker { lab, token: lab.token.clone() }.post("register", &json!({ "name": name }));
    registered["token"].as_str().unwrap().to_owned()
}

/// A server that was killed between keeping a log's last lines and reading them for results has them read before the end.
#[test]
fn results_that_were_kept_but_not_read_are_read_before_the_end() {
    let lab = Lab::start();
    let (worker, id) = running(&lab);
    lab.append(&format!("jobs/{}/{id}/1/output.yaml", id / 1000), CASE.as_bytes());
    let outcome = json!({"fence": 1, "outcome": {"verdict": "complete"}, "log_bytes": CASE.len()});
    worker.post(&format!("jobs/{id}/finish"), &outcome);
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/tests/"), &Value::Null)["count"], 1);
}

#[test]
fn names_of_files_stay_in_their_directory() {
    let lab = Lab::start();
    let (worker, id) = running(&lab);
    for name in
        ["..%2F..%2Fescape", "%2Fetc%2Fpasswd", ".hidden", "a%00b", "%2e%2e", "a%2Fb", "-rf", "caf%C3%A9"]
    {
        let path = format!("jobs/{id}/files/{name}?fence=1&offset=0&size=1&sha256=x");
        let (status, said) = worker.ask("PUT", &path, b"x");
        assert!((400..500).contains(&status), "{name}: {status} {said}");
        let path = format!("/api/pumice/v1/jobs/{id}/files/{name}");
        let token = format!("Token {}", lab.token);
        let (status, said) = lab.send("GET", &path, &[("Authorization", &token)], b"");
        assert!((400..500).contains(&status), "{name}: {status} {said}");
    }
    for path in [
        "/static/../server.key",
        "/static/%2e%2e/server.key",
        "/static/..%2fserver.key",
        "/static//etc/passwd",
    ] {
        let (status, said) = lab.send("GET", path, &[], b"");
        assert!(status == 404 && !said.contains("root:"), "{path}: {status} {said}");
    }
}

#[test]
fn texts_that_would_grow_without_end_are_refused() {
    let lab = Lab::start();
    lab.with_device();
    let laughs = (1..30).fold("a0: &a0 [lol]\n".to_owned(), |text, n| {
        let before = format!("*a{}, ", n - 1).repeat(9);
        format!("{text}a{n}: &a{n} [{}]\n", before.trim_end_matches(", "))
    });
    let deep = format!("job_name: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    for (what, definition) in [
        ("a billion laughs", format!("{JOB}{laughs}")),
        ("deep lists", deep),
        ("a merge of itself", format!("{JOB}x: &x {{<<: *x}}\n")),
        ("control characters", format!("{JOB}x: \"\u{1}\u{8}\"\n")),
    ] {
        let (status, said) = lab.rest_as(&lab.token, "POST", "/jobs/", &json!({"definition": definition}));
        assert_eq!(status, 400, "{what}: {}", &said[..said.len().min(300)]);
    }
    let token = format!("Token {}", lab.token);
    let json = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    let deep = format!("{{\"definition\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for body in
        [deep.as_bytes(), b"{\"definition\": \"\xff\xfe\"}", b"\xff", b"{\"definition\": \"\\ud800\"}", b""]
    {
        let (status, said) = lab.send("POST", "/api/v0.2/jobs/", &json, body);
        assert_eq!(status, 400, "{said}");
    }
    // XML-RPC: entities are not read at all.
    let entities = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
        <methodCall><methodName>system.echo</methodName><params><param><value><string>&b;</string></value></param></params></methodCall>";
    let outside = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\
        <methodCall><methodName>&a;</methodName></methodCall>";
    let deep = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>x</methodName><params><param>{}</param></params></methodCall>",
        "<value><array><data>".repeat(50_000)
    );
    for body in [entities.as_bytes(), outside.as_bytes(), deep.as_bytes(), b"\xff\xfe<", b"<", b""] {
        let (status, said) = lab.send("POST", "/RPC2", &[("Content-Type", "text/xml")], body);
        assert!(status == 200 && said.contains("<fault>") && !said.contains("root:"), "{status} {said}");
        assert!(said.len() < 10_000, "{}", said.len());
    }
    lab.is_well();
}

#[test]
fn bodies_and_heads_that_are_too_large_are_refused() {
    let lab = Lab::start_with(None, |config| config.body_limit = pumice_types::ByteSize(1 << 20));
    let (worker, id) = running(&lab);
    for (path, kind, authorization) in [
        (format!("/api/worker/v1/jobs/{id}/log?fence=1&offset=0"), "PUT", format!("Bearer {}", worker.token)),
        ("/api/v0.2/jobs/".to_owned(), "POST", format!("Token {}", lab.token)),
        ("/RPC2".to_owned(), "POST", String::new()),
        ("/login".to_owned(), "POST", String::new()),
    ] {
        let length = 3 << 20;
        let head = format!(
            "{kind} {path} HTTP/1.1\r\nHost: lab\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let answer = lab.raw(&[head.as_bytes(), &vec![b'x'; length]].concat());
        // A server that does not read all of it may be gone before its answer is read.
        let status = answer.get(9..12).unwrap_or(b"413");
        assert!(status.starts_with(b"4"), "{path}: {}", String::from_utf8_lossy(&answer));
    }
    let (_, log) = worker.ask("GET", &format!("jobs/{id}/log?fence=1"), b"");
    assert_eq!(log["offset"], 0, "nothing of it was kept");
    // More than was announced, and heads without end.
    let head = format!("GET / HTTP/1.1\r\nHost: lab\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\nHost: lab\r\n{}\r\n", "X-A: b\r\n".repeat(1000));
    for request in [head.as_bytes(), many.as_bytes()] {
        let answer = lab.raw(request);
        assert!(
            answer.starts_with(b"HTTP/1.1 431") || answer.is_empty(),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    lab.is_well();
}

#[test]
fn what_is_not_http_is_refused_and_two_readings_of_one_request_are_not_possible() {
    let lab = Lab::start();
    for request in [
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03".as_slice(),
        b"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n",
        b"\x00\x00\x00\x00\x00\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /RPC2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /RPC2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"POST /RPC2 HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nhello",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = lab.raw(request);
        let status = answer.get(9..12).unwrap_or(b"400");
        assert!(status.starts_with(b"4") || status.starts_with(b"5"), "{}", String::from_utf8_lossy(&answer));
        assert!(!status.starts_with(b"500"), "{}", String::from_utf8_lossy(&answer));
    }
    // A garbage frame, and one that announces a gigabyte, on the WebSocket.
    for frame in [
        b"\xff\xff\xff\xff\xff\xff\xff\xff".as_slice(),
        b"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00aaaa",
        b"\x81\x85abcd\x9f\x9c\x9d\x9b\x9a",
        b"\x83\x00",
    ] {
        let answer = lab.raw(&[UPGRADE, frame].concat());
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    }
    lab.is_well();
}

#[test]
fn those_who_listen_take_no_more_places_than_there_are_for_them() {
    let lab = Lab::start_with(None, |config| config.listeners = Some(8));
    let listen = || {
        let mut stream = TcpStream::connect(lab.url.trim_start_matches("http://")).unwrap();
        stream.write_all(UPGRADE).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        (stream, answer)
    };
    let (first, answer) = listen();
    assert_eq!(&answer, b"HTTP/1.1 101");
    let (_second, answer) = listen();
    assert_eq!(&answer, b"HTTP/1.1 101");
    assert_eq!(&listen().1, b"HTTP/1.1 503", "a quarter is for one address");
    lab.is_well();
    drop(first);
    // As soon as the server has seen that.
    while &listen().1 != b"HTTP/1.1 101" {
        std::thread::yield_now();
    }
}

#[test]
fn what_a_device_or_a_person_says_never_becomes_a_page_of_theirs() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
    let definition = JOB.replace("job_name: plain", &format!("job_name: \"{evil}\""));
    lab.rest("POST", "/jobs/", &json!({ "definition": definition }));
    let message = format!("\u{1b}]0;{evil}\u{7}\u{1b}[31m{evil}\u{9b}2J\u{202e}");
    let line = |level: &str, message: Value| {
        format!("- {}", json!({"dt": "2026-11-22T11:23:43+00:00", "lvl": level, "msg": message}))
    };
    let result = json!({"definition": evil, "case": evil, "result": "fail", "error_msg": evil, "starttc": 0, "endtc": 1});
    let end = json!({"definition": "lava", "case": "job", "result": "fail", "error_msg": evil, "error_type": "Job"});
    let lines = [
        line("target", json!(message)),
        line("results", result),
        format!("not yaml at all {evil}"),
        line("results", end),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    worker.run(&lines, "result=fail&error_type=Job");
    let suite = lab.rest("GET", "/jobs/1/suites/", &Value::Null)["results"][0]["id"].to_string();
    for path in [
        "/",
        "/scheduler/alljobs",
        "/scheduler/job/1",
        "/results/",
        "/results/1",
        "/scheduler/queue",
        "/scheduler/device/virtual01",
        "/results/compare?before=1&after=1",
        "/login?next=%22%3E%3Cscript%3Ealert(3)%3C/script%3E",
        "/scheduler/alljobs?search=%3Cscript%3Ealert(4)%3C/script%3E",
        &format!("/results/1/{suite}"),
        "/scheduler/job/%3Cscript%3E",
        "/nowhere/%3Cscript%3E",
    ] {
        let token = format!("Token {}", lab.token);
        let (_, page) = lab.send("GET", path, &[("Authorization", &token)], b"");
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}:\n{page}");
    }
    // The live log is data: a page puts it in as text, and no browser takes the stream for a page.
    let answer = ureq::get(format!("{}/scheduler/job/1/stream", lab.url)).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    for path in
        ["/scheduler/job/1/log_file/plain", "/scheduler/job/1/definition/plain", "/api/v0.2/jobs/1/logs/"]
    {
        let answer = ureq::get(format!("{}{path}", lab.url)).call().unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(!kind.contains("html"), "{path}: {kind}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
    }
    let (_, script) = lab.send("GET", "/static/log.js", &[], b"");
    assert!(
        !script.contains("innerHTML") && !script.contains("insertAdjacentHTML"),
        "lines are put in as text"
    );
}

#[test]
fn a_login_leads_only_to_pages_of_this_server() {
    let lab = Lab::start();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into();
    for (next, expected) in [
        ("/scheduler/alljobs", "/scheduler/alljobs"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("/\n/evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ] {
        let fields = [("username", "admin"), ("password", lab.token.as_str()), ("next", next)];
        let answer = agent.post(format!("{}/login", lab.url)).send_form(fields).unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
            (303, expected),
            "{next:?}"
        );
    }
}

/// Many connections that never say what they want do not keep others from being served.
#[test]
fn clients_that_say_nothing_keep_nobody_out() {
    let lab = Lab::start();
    let address = lab.url.trim_start_matches("http://").to_owned();
    let silent: Vec<_> = (0..300)
        .map(|number| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let begun: &[u8] = if number % 2 == 0 { b"GET / HTT" } else { b"" };
            stream.write_all(begun).unwrap();
            stream
        })
        .collect();
    lab.is_well();
    drop(silent);
    lab.is_well();
}

/// Whoever submits and hangs up at once has submitted or not, but never half.
#[test]
fn a_request_whose_sender_is_gone_is_carried_out_whole() {
    let lab = Lab::start();
    lab.with_device();
    lab.rest("POST", "/devices/virtual01/set_health/", &json!({"health": "Maintenance"}));
    let body = json!({ "definition": JOB }).to_string();
    let request = format!(
        "POST /api/v0.2/jobs/ HTTP/1.1\r\nHost: lab\r\nAuthorization: Token {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        lab.token,
        body.len()
    );
    for _ in 0..40 {
        let mut stream = TcpStream::connect(lab.url.trim_start_matches("http://")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
    // What came before this one is through: the database has one writer.
    lab.submit("");
    let waiting = lab.rest("GET", "/jobs/?limit=100", &Value::Null)["results"].as_array().unwrap().clone();
    for job in &waiting {
        let why = lab.rest("GET", &format!("/jobs/{}/why/", job["id"]), &Value::Null);
        assert_eq!(
            why["obstacles"][0]["what"], "its health is Maintenance",
            "the scheduler knows job {}: {why}",
            job["id"]
        );
    }
}

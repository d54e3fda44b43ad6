//! Callbacks (lava-compat 1.8), received by a server of ours on loopback.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pumice_server::Mail;
use serde_json::{Value, json};

use crate::{
    exchange::{LOG, LavaWorker},
    lab::{JOB, Lab},
};

/// Answers requests with these statuses, one after the other; gives back their heads and bodies.
fn receive(listener: &TcpListener, statuses: &[u16]) -> Vec<(String, String)> {
    let mut received = Vec::new();
    for status in statuses {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let (head, body) = loop {
            let count = stream.read(&mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        };
        write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        received.push((head, body));
    }
    received
}

fn job(notify: &str) -> Value {
    json!({"definition": format!("{JOB}notify:\n  criteria: {{status: finished}}\n  callback: {notify}\n")})
}

#[test]
fn a_callback_has_the_job_its_results_and_the_secret() {
    let lab = Lab::start();
    lab.with_device();
    lab.rest("POST", "/remote-artifact-tokens/", &json!({"name": "hook", "token": "s3cret"}));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/done/{{ID}}/{{STATUS_STRING}}", listener.local_addr().unwrap());
    let notify = format!(
        "{{url: '{url}', method: POST, dataset: all, content-type: json, token: hook, header: X-Hook}}"
    );
    let id = lab.rest("POST", "/jobs/", &job(&notify))["job_ids"][0].clone();
    lab.rest("GET", &format!("/jobs/{id}/cancel/"), &Value::Null);
    let received = receive(&listener, &[200]);
    let (head, body) = &received[0];
    assert!(head.starts_with(&format!("POST /done/{id}/canceled HTTP/1.1")), "{head}");
    assert!(head.to_ascii_lowercase().contains("x-hook: s3cret"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["id"], &body["status"], &body["health_string"]), (&id, &json!(4), &json!("Canceled")));
    for key in ["definition", "metadata", "results", "log", "submitter_username", "actual_device_id", "token"]
    {
        assert!(body.get(key).is_some(), "{key} in {body}");
    }
    let definition = lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["definition"].to_string();
    assert!(!definition.contains("s3cret"), "what is kept has the name only");
}

#[test]
fn a_callback_to_a_closed_network_is_not_sent() {
    let lab = Lab::start_with(None, |config| config.private_callbacks = false);
    lab.with_device();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let notify = format!("{{url: 'http://{}/x'}}", listener.local_addr().unwrap());
    let id = lab.rest("POST", "/jobs/", &job(&notify))["job_ids"][0].clone();
    lab.rest("GET", &format!("/jobs/{id}/cancel/"), &Value::Null);
    // The server is asked to go down; by then it has tried, or never will.
    drop(lab);
    assert!(listener.accept().is_err());
}

/// Takes one mail as a relay does; what was said to it, line by line.
fn relay(listener: &TcpListener) -> Vec<String> {
    let (stream, _) = listener.accept().unwrap();
    let mut answers = stream.try_clone().unwrap();
    let mut lines = Vec::new();
    let mut is_text = false;
    answers.write_all(b"220 relay\r\n").unwrap();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let answer = match line.as_str() {
            "." if is_text => {
                is_text = false;
                "250 taken\r\n"
            }
            _ if is_text => "",
            "DATA" => {
                is_text = true;
                "354 go on\r\n"
            }
            "QUIT" => "221 bye\r\n",
            word if word.starts_with("EHLO") => "250-relay\r\n250 8BITMIME\r\n",
            _ => "250 fine\r\n",
        };
        answers.write_all(answer.as_bytes()).unwrap();
        lines.push(line);
        if lines.last().is_some_and(|line| line == "QUIT") {
            break;
        }
    }
    lines
}

#[test]
fn mail_goes_to_whom_the_job_names() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lab = Lab::start_with(None, |config| {
        config.mail = Some(Mail { relay: address, from: "lab@example.org".to_owned() });
        config.public_url = Some("https://lab.example".to_owned());
    });
    lab.with_device();
    let recipients =
        "[{to: {method: email, email: ann@example.org}}, {to: {method: irc, handle: x, server: y}}]";
    let notify = format!(
        "notify:\n  criteria: {{status: finished}}\n  verbosity: verbose\n  recipients: {recipients}\n"
    );
    let definition = format!("{JOB}{notify}").replace("job_name: plain", "job_name: plåin");
    let id = lab.rest("POST", "/jobs/", &json!({ "definition": definition }))["job_ids"][0].clone();
    lab.rest("GET", &format!("/jobs/{id}/cancel/"), &Value::Null);
    let said = relay(&listener);
    for line in ["MAIL FROM:<lab@example.org>", "RCPT TO:<ann@example.org>", "To: <ann@example.org>"] {
        assert!(said.iter().any(|known| known == line), "no `{line}` in {said:#?}");
    }
    assert!(said.iter().any(|line| line.starts_with("Subject: =?utf-8?B?")), "{said:#?}");
    let empty = said.iter().position(String::is_empty).unwrap();
    let encoded: String = said[empty + 1..].iter().take_while(|line| *line != ".").cloned().collect();
    let body = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
    assert!(body.starts_with(&format!("Job {id} is Canceled: plåin\n")), "{body}");
    assert!(body.contains(&format!("https://lab.example/scheduler/job/{id}")), "{body}");
}

#[test]
fn only_a_turn_is_told_when_only_turns_are_asked_for() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{{ID}}", listener.local_addr().unwrap());
    let criteria = "{status: finished, type: regression}";
    let definition = format!("{JOB}notify:\n  criteria: {criteria}\n  callback: {{url: '{url}'}}\n");
    let run = |result: &str| {
        lab.rest("POST", "/jobs/", &json!({ "definition": definition }));
        let word = if result == "pass" { "pass" } else { "fail" };
        let end = format!(
            r#"- {{"dt": "2026-11-22T11:23:44+00:00", "lvl": "results", "msg": {{"definition": "lava", "case": "job", "result": "{word}", "error_type": "Test"}}}}"#
        );
        worker.run(&[&end], &format!("result={result}&error_type=Test"))
    };
    // The first fails with none before it, the second is better, the third is worse.
    let ids = ["fail", "pass", "fail"].map(run);
    let received = receive(&listener, &[200]);
    assert!(received[0].0.starts_with(&format!("GET /{} HTTP/1.1", ids[2])), "{}", received[0].0);
}

#[test]
fn what_waits_to_be_sent_is_sealed() {
    let lab = Lab::start();
    lab.with_device();
    lab.rest("POST", "/remote-artifact-tokens/", &json!({"name": "hook", "token": "s3cret"}));
    assert_eq!(lab.rest("GET", "/remote-artifact-tokens/", &Value::Null)["results"][0]["token"], "s3cret");
    let notify = "{url: 'http://127.0.0.1:9/x', token: hook}";
    let id = lab.rest("POST", "/jobs/", &job(notify))["job_ids"][0].clone();
    lab.rest("GET", &format!("/jobs/{id}/cancel/"), &Value::Null);
    let kept = lab.kept();
    assert!(!kept.is_empty());
    for (path, bytes) in kept {
        let shows = bytes.windows(6).any(|window| window == b"s3cret");
        assert!(!shows, "{} shows the secret", path.display());
    }
}

/// The parts of a form, decoded.
fn form(body: &str) -> std::collections::BTreeMap<String, String> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                b'+' => bytes.push(b' '),
                b'%' => {
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                    rest = &rest[2..];
                }
                other => bytes.push(*other),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decoded(k), decoded(v))).collect()
}

#[test]
fn what_a_callback_says_is_what_the_job_asked_for() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    lab.rest("POST", "/remote-artifact-tokens/", &json!({"name": "hook", "token": "s3cret"}));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let said = |settings: &str, status: &str| {
        let notify = format!("notify:\n  criteria: {{status: {status}}}\n  callbacks:\n  - {settings}\n");
        let definition = format!("{JOB}{notify}").replace("job_name: plain", "job_name: plåin");
        lab.rest("POST", "/jobs/", &json!({ "definition": definition }));
        let id = worker.run(&LOG, "result=fail&error_type=Infrastructure");
        lab.rest("POST", "/devices/virtual01/set_health/", &json!({"health": "Good"}));
        let (head, body) = receive(&listener, &[200]).remove(0);
        (id, head.to_ascii_lowercase(), body)
    };

    // By default: GET, nothing but the address.
    let url = format!("{base}/{{ ID }}/{{STATUS}}/{{SUBMITTER}}/{{ACTUAL_DEVICE}}/{{DESCRIPTION}}/{{NOPE}}");
    let (id, head, body) = said(&format!("{{url: '{url}'}}"), "incomplete");
    let target = format!("get /{id}/3/admin/virtual01/pl%c3%a5in/");
    assert!(head.starts_with(&target) && !head.contains("authorization:") && body.is_empty(), "{head}");

    // A token that is no name of a secret is itself; in the header it is asked for.
    let (_, head, _) = said(&format!("{{url: '{base}/x', token: raw-token}}"), "finished");
    assert!(head.contains("\r\nauthorization: raw-token"), "{head}");
    let (_, head, _) = said(&format!("{{url: '{base}/x', token: hook, header: X-Token}}"), "all");
    assert!(head.contains("\r\nx-token: s3cret"), "{head}");
    receive(&listener, &[200]);

    // A form by default; what is not there does not travel.
    let (id, head, body) = said(&format!("{{url: '{base}/x', method: POST}}"), "incomplete");
    let fields = form(&body);
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    let of = |name: &str| fields.get(name).map(String::as_str);
    for (name, expected) in [
        ("id", Some(id.to_string().as_str())),
        ("status", Some("3")),
        ("status_string", Some("incomplete")),
        ("state", Some("5")),
        ("state_string", Some("Finished")),
        ("health", Some("2")),
        ("health_check", Some("False")),
        ("description", Some("plåin")),
        ("actual_device_id", Some("virtual01")),
        ("failure_comment", None),
        ("token", None),
        ("log", None),
        ("results", None),
    ] {
        assert_eq!(of(name), expected, "{name} of {body}");
    }

    // What each dataset adds to the 19 of a minimal one.
    for (dataset, log, results) in
        [("minimal", false, false), ("logs", true, false), ("results", false, true), ("all", true, true)]
    {
        let settings =
            format!("{{url: '{base}/x', method: POST, content-type: json, dataset: {dataset}, token: hook}}");
        let (_, head, body) = said(&settings, "incomplete");
        assert!(head.contains("content-type: application/json"), "{head}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let keys = 20 + usize::from(log) + usize::from(results);
        assert_eq!(body.as_object().unwrap().len(), keys, "{dataset}: {body}");
        assert_eq!((body.get("log").is_some(), body.get("results").is_some()), (log, results), "{dataset}");
        assert_eq!((&body["token"], &body["failure_comment"]), (&json!("s3cret"), &Value::Null));
        if log {
            assert!(body["log"].as_str().unwrap().starts_with("- {\"dt\": \"2026-11-22T11:23:43"), "{body}");
        }
        if results {
            let suite = body["results"]["0_five"].as_str().unwrap();
            assert!(suite.contains("name: t3") && suite.contains("result: pass"), "{suite}");
        }
        let start = body["start_time"].as_str().unwrap();
        assert!(start.len() == 32 && start.as_bytes()[10] == b' ' && start.ends_with("+00:00"), "{start}");
    }
}

#[test]
fn other_jobs_decide_whether_somebody_is_told() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{{ID}}", listener.local_addr().unwrap());
    let run = |name: &str, more: &str, result: &str| {
        let definition = format!("{JOB}{more}").replace("job_name: plain", &format!("job_name: {name}"));
        lab.rest("POST", "/jobs/", &json!({ "definition": definition }));
        let end = format!(
            r#"- {{"dt": "2026-11-22T11:23:44+00:00", "lvl": "results", "msg": {{"definition": "lava", "case": "job", "result": "{result}", "error_type": "Test"}}}}"#
        );
        worker.run(&[&end], &format!("result={result}&error_type=Test"))
    };
    let when = |criteria: &str, compare: &str| {
        format!("notify:\n  criteria: {{{criteria}}}\n  callback: {{url: '{url}'}}\n{compare}")
    };
    run("other", "", "pass");
    // Not told: a job of the query did not end so; the words are none; nothing of that name came before.
    let depends = |query: &str| when(&format!("status: incomplete, dependency_query: '{query}'"), "");
    run("one", &depends("testjob__description__exact__other"), "fail");
    run("one", &depends("nonsense"), "fail");
    run("two", &when("status: finished, type: regression", ""), "fail");
    // Told: held against the last job of the query, which was complete; and no job of the query says otherwise.
    let against = "  compare:\n    query: {entity: testjob, conditions: {description: other}}\n";
    let told = run("three", &when("status: finished, type: regression", against), "fail");
    let other = run("four", &depends("testjob__description__exact__nobody"), "fail");
    let received = receive(&listener, &[200, 200]);
    for ((head, _), id) in received.iter().zip([told, other]) {
        assert!(head.starts_with(&format!("GET /{id} ")), "{head} and not {id}");
    }
}

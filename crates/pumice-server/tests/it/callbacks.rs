//! Callbacks (lava-compat 1.8), received by a server of ours on loopback.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pumice_server::Mail;
use serde_json::{Value, json};

use crate::{
    exchange::LavaWorker,
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

//! Callbacks (lava-compat 1.8), received by a server of ours on loopback.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use serde_json::{Value, json};

use crate::lab::{JOB, Lab};

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

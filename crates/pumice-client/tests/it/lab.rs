//! What people ask: LAVA's REST API, and ours.

use std::time::Duration;

use pumice_client::{Credentials, LabClient};
use pumice_types::JobId;

use crate::{Answer, FakeServer, answering, connection, only};

fn client(server: &FakeServer) -> LabClient {
    LabClient::new(connection(server, Credentials::Token("secret".to_owned())))
}

#[test]
fn submitting_brings_the_jobs_numbers() {
    let (server, asked) = answering(Answer::json(201, r#"{"message": "ok", "job_ids": [4, 5]}"#));
    assert_eq!(client(&server).submit("job_name: x").unwrap().job_ids, [JobId(4), JobId(5)]);
    let request = only(&asked);
    assert_eq!(
        (request.path.as_str(), request.header("authorization")),
        ("/api/v0.2/jobs/", Some("Token secret"))
    );
    assert_eq!(request.body, br#"{"definition":"job_name: x"}"#);
}

#[test]
fn a_node_of_a_group_is_found_by_what_people_call_it() {
    let body = r#"{"id": 13, "submitter": "ann", "state": "Running", "health": "Unknown"}"#;
    let (server, asked) = answering(Answer::json(200, body));
    assert_eq!(client(&server).job_number("12.1").unwrap(), JobId(13));
    assert_eq!(only(&asked).path, "/api/v0.2/jobs/12.1/");
}

#[test]
fn jobs_are_filtered_with_lavas_words_and_unknown_fields_are_ignored() {
    let body = r#"{"count": 1, "next": null, "results": [{"id": 3, "submitter": "ann", "state": "Running",
        "health": "Unknown", "viewing_groups": [], "description": null}]}"#;
    let (server, asked) = answering(Answer::json(200, body));
    let page = client(&server).jobs(&[("state", "Running")], 10, 20).unwrap();
    assert_eq!((page.count, page.results[0].id, page.results[0].is_finished()), (1, JobId(3), false));
    assert_eq!(only(&asked).query, "state=Running&limit=10&offset=20");
}

#[test]
fn tags_come_as_keys() {
    let body = r#"{"count": 1, "results": [{"hostname": "d", "device_type": "t", "tags": [7], "state": "Idle",
        "health": "Good", "worker_host": null}]}"#;
    let (server, _) = answering(Answer::json(200, body));
    let page = client(&server).devices(false, 10, 0).unwrap();
    assert_eq!(page.results[0].tags, [7]);
}

#[test]
fn a_log_is_followed_by_offset_until_it_ends() {
    let answer = Answer {
        status: 200,
        headers: vec![("pumice-log-end", "true".to_owned())],
        body: b"- {}\n".to_vec(),
    };
    let (server, asked) = answering(answer);
    let piece = client(&server).log(JobId(3), 100, Duration::from_millis(5)).unwrap();
    assert!(piece.ended);
    assert_eq!(piece.bytes, b"- {}\n");
    let request = only(&asked);
    assert_eq!(request.path, "/api/pumice/v1/jobs/3/log");
    assert_eq!((request.field("offset"), request.field("wait_ms")), (Some("100"), Some("5")));
}

#[test]
fn cancelling_is_a_get_as_lava_has_it() {
    let (server, asked) = answering(Answer::json(200, r#"{"message": "ok"}"#));
    client(&server).cancel(JobId(3)).unwrap();
    let request = only(&asked);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v0.2/jobs/3/cancel/"));
}

#[test]
fn why_tells_obstacles_and_failures() {
    let body = r#"{"job": 3, "state": "Submitted", "ahead": 2,
        "obstacles": [{"what": "in use", "remedy": "wait", "devices": 4}]}"#;
    let (server, _) = answering(Answer::json(200, body));
    let why = client(&server).why(JobId(3)).unwrap();
    assert_eq!((why.ahead, why.obstacles[0].devices, why.failure), (Some(2), 4, None));
}

#[track_caller]
fn check_download(status: u16, body: &str, from: u64, expected: &str) {
    let (server, asked) = answering(Answer { status, headers: vec![], body: body.into() });
    let mut sink = Vec::new();
    let count = client(&server).download(JobId(3), "a file", from, &mut sink).expect("the server answers");
    assert_eq!((sink.as_slice(), count), (expected.as_bytes(), expected.len() as u64));
    let request = only(&asked);
    assert_eq!(request.path, "/api/pumice/v1/jobs/3/files/a%20file");
    assert_eq!(request.header("range"), Some(format!("bytes={from}-").as_str()));
}

#[test]
fn a_download_goes_on_where_it_broke_off_whatever_the_server_makes_of_that() {
    check_download(206, "0123", 0, "0123");
    check_download(206, "23", 2, "23");
    check_download(200, "0123", 2, "23");
    check_download(416, "", 4, "");
}

#[test]
fn a_download_that_is_refused_says_why() {
    let (server, _) = answering(Answer::json(404, r#"{"code": "not-found", "message": "no such file"}"#));
    let error = client(&server).download(JobId(3), "f", 0, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

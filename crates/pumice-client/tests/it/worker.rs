//! Our worker protocol: what goes over the wire.

use std::time::Duration;

use pumice_api::{
    ProblemCode,
    worker::{Epoch, Fence, JobFile, JobRef, Poll},
};
use pumice_client::{ClientError, Credentials, WorkerClient};
use pumice_types::JobId;

use crate::{Answer, FakeServer, answering, connection, only};

const JOB: JobRef = JobRef { job: JobId(7), fence: Fence(3) };

fn client(server: &FakeServer) -> WorkerClient {
    WorkerClient::new(connection(server, Credentials::Bearer("pw_secret".to_owned())))
}

#[test]
fn a_poll_is_json_with_the_workers_token() {
    let (server, asked) = answering(Answer::json(200, r#"{"offers": [{"job": 9, "fence": 1}]}"#));
    let poll = Poll {
        epoch: Epoch(2),
        sequence: 1,
        held: Vec::new(),
        not_ready: None,
        wait_ms: 0,
        seen: pumice_api::worker::OrdersSeen::default(),
    };
    let orders = client(&server).poll(&poll).unwrap();
    assert_eq!(orders.offers, [JobRef { job: JobId(9), fence: Fence(1) }]);
    let request = only(&asked);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/worker/v1/poll"));
    assert_eq!(request.header("authorization"), Some("Bearer pw_secret"));
    assert_eq!(serde_json::from_slice::<Poll>(&request.body).unwrap(), poll);
}

#[test]
fn a_piece_of_a_log_names_its_fence_and_offset() {
    let (server, asked) = answering(Answer::json(200, r#"{"offset": 12}"#));
    let position = client(&server).log(JOB, 8, b"four").unwrap();
    assert_eq!(position.offset, 12);
    let request = only(&asked);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/api/worker/v1/jobs/7/log"));
    assert_eq!((request.field("fence"), request.field("offset")), (Some("3"), Some("8")));
    assert_eq!(request.body, b"four");
}

#[test]
fn a_file_is_announced_with_size_and_digest() {
    let (server, asked) = answering(Answer::json(200, r#"{"offset": 0, "complete": true}"#));
    let file = JobFile { name: "a b.txt".to_owned(), size: 0, sha256: "e3b0".to_owned() };
    assert!(client(&server).file(JOB, &file, 0, b"").unwrap().complete);
    let request = only(&asked);
    assert_eq!(request.path, "/api/worker/v1/jobs/7/files/a%20b.txt");
    assert_eq!((request.field("size"), request.field("sha256")), (Some("0"), Some("e3b0")));
    assert_eq!(request.header("content-length"), Some("0"));
}

#[test]
fn a_channel_ends_when_its_header_says_so() {
    let answer = Answer {
        status: 200,
        headers: vec![("pumice-channel-end", "true".to_owned())],
        body: b"bye".to_vec(),
    };
    let (server, _) = answering(answer);
    let piece = client(&server).channel_receive(Epoch(1), "c1", 0, Duration::ZERO).unwrap();
    assert_eq!((piece.bytes.as_slice(), piece.ended), (b"bye".as_slice(), true));
}

#[track_caller]
fn check_refusal(answer: Answer, code: ProblemCode, is_temporary: bool) {
    let (server, _) = answering(answer);
    let error = client(&server).started(JOB).expect_err("the server refuses");
    assert_eq!((error.code(), error.is_temporary()), (Some(code), is_temporary), "{error}");
}

#[test]
fn a_refusal_says_whether_trying_again_makes_sense() {
    check_refusal(
        Answer::json(409, r#"{"code": "stale-fence", "message": "m"}"#),
        ProblemCode::StaleFence,
        false,
    );
    check_refusal(
        Answer::json(503, r#"{"code": "unavailable", "message": "m"}"#),
        ProblemCode::Unavailable,
        true,
    );
    check_refusal(Answer::json(502, "<html>"), ProblemCode::Internal, true);
    check_refusal(Answer::json(429, ""), ProblemCode::RateLimited, true);
    check_refusal(Answer::json(401, ""), ProblemCode::Unauthenticated, false);
}

#[test]
fn a_server_that_hangs_up_or_is_not_there_may_be_tried_again() {
    let server = FakeServer::start(|_| None);
    let error = client(&server).started(JOB).unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.is_temporary(), "{error}");
    let gone = client(&server);
    drop(server);
    assert!(gone.started(JOB).unwrap_err().is_temporary());
}

#[test]
fn an_answer_that_is_not_one_or_points_elsewhere_is_said_so() {
    let (server, _) = answering(Answer::json(200, "<html>a login page</html>"));
    let error = client(&server).log_position(JOB).unwrap_err();
    assert!(matches!(error, ClientError::Unreadable { .. }) && !error.is_temporary(), "{error}");
    let moved =
        Answer { status: 301, headers: vec![("location", "https://other/".to_owned())], body: vec![] };
    let (server, _) = answering(moved);
    let error = client(&server).log_position(JOB).unwrap_err().to_string();
    assert!(error.contains("https://other/"), "{error}");
}

//! LAVA's worker protocol: what goes over the wire (lava-compat 6.3, 3.6).

use pumice_client::{Credentials, LavaJob, LavaResult, LavaWorkerClient};
use pumice_types::JobId;

use crate::{Answer, FakeServer, answering, connection, only};

fn client(server: &FakeServer) -> LavaWorkerClient {
    LavaWorkerClient::new(connection(server, Credentials::LavaToken("worker-token".to_owned())))
}

fn job() -> LavaJob {
    LavaJob { id: JobId(49), token: "job-token".to_owned() }
}

#[test]
fn a_ping_names_worker_and_version_and_brings_jobs() {
    let (server, asked) =
        answering(Answer::json(200, r#"{"cancel": [], "running": [], "start": [{"id": 49, "token": "t"}]}"#));
    let orders = client(&server).ping("worker1", "2026.07").unwrap();
    assert_eq!(orders.start, [LavaJob { id: JobId(49), token: "t".to_owned() }]);
    let request = only(&asked);
    assert_eq!(request.path, "/scheduler/internal/v1/workers/worker1/");
    assert_eq!(
        (request.field("version"), request.header("lava-token")),
        (Some("2026.07"), Some("worker-token"))
    );
}

#[test]
fn a_jobs_requests_carry_the_jobs_token_and_are_forms() {
    let (server, asked) = answering(Answer::json(200, "{}"));
    client(&server).running(&job()).unwrap();
    let request = only(&asked);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/scheduler/internal/v1/jobs/49/"));
    assert_eq!(request.header("lava-token"), Some("job-token"));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.body, b"state=RUNNING");
}

#[test]
fn a_finished_job_says_result_error_and_description() {
    let (server, asked) = answering(Answer::json(200, "{}"));
    let result = LavaResult {
        passed: false,
        error_type: "Canceled".to_owned(),
        errors: String::new(),
        description: "pipeline: []\n".to_owned(),
    };
    client(&server).finished(&job(), &result).unwrap();
    let body = String::from_utf8(only(&asked).body).unwrap();
    assert_eq!(
        body,
        "state=FINISHED&result=fail&error_type=Canceled&errors=&description=pipeline%3A%20%5B%5D%0A"
    );
}

#[test]
fn log_lines_go_with_their_index_and_the_count_comes_back() {
    let (server, asked) = answering(Answer::json(200, r#"{"line_count": 2}"#));
    assert_eq!(client(&server).logs(&job(), "- a\n- b", 5).unwrap(), 2);
    let request = only(&asked);
    assert_eq!(request.path, "/scheduler/internal/v1/jobs/49/logs/");
    assert_eq!(request.body, b"lines=-%20a%0A-%20b&index=5");
}

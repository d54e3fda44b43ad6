//! Every route that is described, asked with nonsense: it may refuse, and must not fail.

use serde_json::{Value, json};

use crate::{
    exchange::encoded,
    lab::{JOB, Lab},
};

#[test]
fn no_described_route_fails_whatever_it_is_asked() {
    let lab = Lab::start();
    lab.with_device();
    lab.submit("");
    let description = lab.rest("GET", "/openapi.json", &Value::Null);
    let mut asked = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            for filler in ["1", "virtual01", "%F0%9F%8C%8B", "..%2F..", "99999999999999999999", "-1"] {
                let path = fill(path, filler);
                let path = path.strip_prefix("/api/v0.2").unwrap();
                for body in [
                    json!({}),
                    json!([1]),
                    json!({"definition": "a: [", "health": 7, "name": ""}),
                    Value::Null,
                ] {
                    let (status, said) = lab.rest_as(&lab.token, &method.to_uppercase(), path, &body);
                    assert!(status < 500, "{method} {path} {body}: {status} {said}");
                    asked += 1;
                    if method == "get" {
                        break;
                    }
                }
            }
        }
    }
    assert!(asked > 500, "only {asked} requests");
}

fn fill(path: &str, filler: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { filler } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[test]
fn paths_are_mended_as_clients_need_it() {
    let lab = Lab::start();
    let status = |path: &str| lab.send("GET", path, &[], b"").0;
    assert_eq!(status("/api/v0.2//jobs/"), 200, "slashes are merged");
    assert_eq!(status("/api/v0.2/jobs"), 301, "a slash is added");
    assert_eq!(status("/api/v0.2/nothing/"), 404);
    let call = b"<methodCall><methodName>system.version</methodName></methodCall>";
    for path in ["/RPC2", "/RPC2/", "////RPC2"] {
        let (status, said) = lab.send("POST", path, &[("Content-Type", "text/xml")], call);
        assert!(status == 200 && said.contains("<string>2026.07</string>"), "{path}: {status} {said}");
    }
    let (status, said) =
        lab.send("POST", "/api/v0.2/jobs/1/cancel/", &[("Content-Type", "application/json")], b"{}");
    assert_eq!((status, said.as_str()), (405, r#"{"detail":"Method \"POST\" not allowed."}"#));
}

#[test]
fn a_job_is_submitted_as_json_and_as_a_form_of_either_shape() {
    let lab = Lab::start();
    lab.with_device();
    let json = json!({"definition": JOB}).to_string();
    let form = format!("definition={}", encoded(JOB));
    let parts = format!(
        "--xx\r\nContent-Disposition: form-data; name=\"definition\"; filename=\"job.yaml\"\r\n\r\n{JOB}\r\n--xx--\r\n"
    );
    let authorization = format!("Token {}", lab.token);
    for (kind, body) in [
        ("application/json", json.as_str()),
        ("application/x-www-form-urlencoded", &form),
        ("multipart/form-data; boundary=xx", &parts),
    ] {
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", kind)];
        let (status, said) = lab.send("POST", "/api/v0.2/jobs/", &headers, body.as_bytes());
        assert!(status == 201 && said.contains("job_ids"), "{kind}: {status} {said}");
    }
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "multipart/form-data")];
    assert_eq!(lab.send("POST", "/api/v0.2/jobs/", &headers, b"nonsense").0, 400);
}

#[test]
fn events_come_to_whoever_waits() {
    let lab = Lab::start();
    lab.with_device();
    let begin = lab.rest("GET", "/events/", &Value::Null)["next"].clone();
    let id = lab.submit("");
    let said = lab.rest("GET", &format!("/events/?after={begin}&wait=20"), &Value::Null);
    let first = &said["events"][0];
    assert_eq!(first[0], "org.lavasoftware.testjob");
    let data: Value = serde_json::from_str(first[4].as_str().unwrap()).unwrap();
    assert_eq!((&data["job"], &data["state"]), (&json!(id), &json!("Submitted")));
}

#[test]
fn health_and_numbers_are_there_for_monitoring() {
    let lab = Lab::start();
    lab.with_device();
    lab.submit("");
    assert_eq!(lab.send("GET", "/v1/healthz/", &[], b""), (200, r#"{"health":"good"}"#.to_owned()));
    let (_, numbers) = lab.send("GET", "/v1/prometheus/", &[], b"");
    assert!(numbers.contains("pumice_queue{device_type=\"virtual\"} 1"), "{numbers}");
}

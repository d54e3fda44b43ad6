//! LAVA's worker with our server, as recorded from a real one (`corpus/api/worker.jsonl`): register, ping, fetch, log in
//! pieces, finish.

use serde_json::{Value, json};

use crate::lab::Lab;

struct LavaWorker<'l> {
    lab: &'l Lab,
    token: String,
}

impl LavaWorker<'_> {
    fn ask(&self, method: &str, path: &str, token: &str, form: &str) -> (u16, Value) {
        let headers = [
            ("LAVA-Token", token),
            ("User-Agent", "lava-worker 2026.07"),
            ("Accept", "application/json"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let path = format!("/scheduler/internal/v1{path}");
        let (status, text) = self.lab.send(method, &path, &headers, form.as_bytes());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn ping(&self) -> Value {
        let (status, answer) = self.ask("GET", "/workers/worker1/?version=2026.07", &self.token, "");
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The job that the ping offers, with its token.
    fn offered(&self) -> (i64, String) {
        let offer = self.ping()["start"][0].clone();
        (offer["id"].as_i64().unwrap(), offer["token"].as_str().unwrap().to_owned())
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

const LOG: [&str; 4] = [
    r#"- {"dt": "2026-11-22T11:23:43.757260+00:00", "lvl": "info", "msg": "lava-dispatcher, installed at version: 2026.07"}"#,
    r#"- {"dt": "2026-11-22T11:23:43.803566+00:00", "lvl": "results", "msg": {"definition": "0_five", "case": "t3", "result": "pass", "measurement": ! "42.0", "units": "ms", "starttc": ! "441", "endtc": ! "441"}}"#,
    r#"- {"dt": "2026-11-22T11:23:44.803566+00:00", "lvl": "results", "msg": {"definition": "lava", "case": "job", "result": "fail", "error_type": "Infrastructure", "error_msg": "no room"}}"#,
    r#"- {"dt": "2026-11-22T11:23:45+00:00", "lvl": "info", "msg": "the end"}"#,
];

fn scenario(database: Option<String>) {
    let lab = Lab::start_with(database, |_| {});
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    assert_eq!(worker.ping(), json!({"cancel": [], "running": [], "start": []}));
    let id = lab.submit("metadata: {branch: main}\n");
    let (offered, token) = worker.offered();
    assert_eq!(offered, id);
    assert_eq!(worker.offered().0, id, "it stays offered until it runs");
    let (_, given) = worker.ask("GET", &format!("/jobs/{id}/"), &token, "");
    for part in ["definition", "device", "dispatcher", "env", "env-dut"] {
        assert!(given[part].is_string(), "{part} in {given}");
    }
    assert!(given["definition"].as_str().unwrap().starts_with("job_name: plain\n"));
    let path = format!("/jobs/{id}/");
    assert_eq!(worker.ask("POST", &path, &token, "state=RUNNING"), (200, json!({})));
    assert_eq!(worker.ping()["running"][0]["id"], id);
    assert_eq!(lab.rest("GET", "/devices/virtual01/", &Value::Null)["state"], "Running");
    let send = |lines: &[&str], index: usize| {
        let form = format!("lines={}&index={index}", encoded(&lines.join("\n")));
        worker.ask("POST", &format!("/jobs/{id}/logs/"), &token, &form)
    };
    assert_eq!(send(&LOG[..2], 0), (200, json!({"line_count": 2})));
    assert_eq!(send(&LOG[..3], 0), (200, json!({"line_count": 3})), "what was there counts too");
    assert_eq!(send(&LOG[3..], 3), (200, json!({"line_count": 1})));
    let finish =
        "state=FINISHED&result=fail&error_type=Infrastructure&errors=&description=pipeline%3A+%5B%5D";
    assert_eq!(worker.ask("POST", &path, &token, finish), (200, json!({})));
    let job = lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null);
    assert_eq!((&job["state"], &job["health"]), (&json!("Finished"), &json!("Incomplete")));
    assert_eq!(job["metadata"], json!({"branch": "main"}));
    let why = lab.rest("GET", &format!("/jobs/{id}/why/"), &Value::Null);
    assert_eq!((&why["error_type"], &why["error_msg"]), (&json!("Infrastructure"), &json!("no room")));
    let device = lab.rest("GET", "/devices/virtual01/", &Value::Null);
    assert_eq!(
        (&device["state"], &device["health"]),
        (&json!("Idle"), &json!("Unknown")),
        "the fault was not the job's"
    );
    let tests = lab.rest("GET", &format!("/jobs/{id}/tests/?suite__name=0_five"), &Value::Null);
    assert_eq!((&tests["count"], &tests["results"][0]["measurement"]), (&json!(1), &json!("42.0000000000")));
    assert_eq!(tests["results"][0]["start_log_line"], 441);
    let (_, log) = lab.rest_as(&lab.token, "GET", &format!("/jobs/{id}/logs/?start=3"), &Value::Null);
    assert_eq!(log, format!("{}\n", LOG[3]));
    let (_, csv) = lab.rest_as(&lab.token, "GET", &format!("/jobs/{id}/csv/"), &Value::Null);
    assert!(csv.starts_with("\"job\",\"suite\",\"result\""), "{csv}");
    assert_eq!(worker.ping(), json!({"cancel": [], "running": [], "start": []}));
}

#[test]
fn a_lava_worker_takes_a_job_and_finishes_it() {
    scenario(None);
}

#[test]
fn a_lava_worker_takes_a_job_and_finishes_it_on_postgresql() {
    match pumice_testkit::Postgres::start() {
        Ok(server) => {
            scenario(Some(server.fresh("lava_worker")));
        }
        Err(reason) => println!("skipped: {reason}"),
    }
}

#[test]
fn a_cancelled_job_is_told_and_ends_cancelled() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    worker.ping();
    let id = lab.submit("");
    let (_, token) = worker.offered();
    worker.ask("POST", &format!("/jobs/{id}/"), &token, "state=RUNNING");
    assert_eq!(
        lab.rest("GET", &format!("/jobs/{id}/cancel/"), &Value::Null)["message"],
        "Job cancel signal sent."
    );
    assert_eq!(worker.ping()["cancel"][0]["id"], id);
    let finish = "state=FINISHED&result=fail&error_type=Canceled&errors=&description=";
    worker.ask("POST", &format!("/jobs/{id}/"), &token, finish);
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["health"], "Canceled");
}

#[test]
fn what_lavas_worker_reads_of_a_refusal_is_exact() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    let error = |text: &str| json!({"error": text});
    let (status, said) = worker.ask("GET", "/jobs/99/", "x", "");
    assert_eq!((status, said), (404, error("Unknown job '99'")));
    let (status, said) = worker.ask("GET", "/workers/none/?version=1", "x", "");
    assert_eq!((status, said), (404, error("Unknown worker 'none'")));
    assert_eq!(worker.ask("GET", "/workers/worker1/?version=1", "x", ""), (400, error("Invalid 'token'")));
    assert_eq!(worker.ask("GET", "/workers/worker1/", &worker.token, ""), (400, error("Missing 'version'")));
    assert_eq!(worker.ask("POST", "/workers/", "x", "name=new").0, 403, "nobody may add itself unless told");
}

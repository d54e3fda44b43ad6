//! What pages say, and that they load nothing from elsewhere.

use serde_json::{Value, json};

use crate::{
    exchange::{LOG, LavaWorker},
    lab::Lab,
};

/// A log of a job whose tests went otherwise than [`LOG`]'s.
const WORSE: &str = r#"- {"dt": "2026-11-22T11:23:43.803566+00:00", "lvl": "results", "msg": {"definition": "0_five", "case": "t3", "result": "fail", "starttc": "2", "endtc": "3"}}"#;
const NEW: &str = r#"- {"dt": "2026-11-22T11:23:43.903566+00:00", "lvl": "results", "msg": {"definition": "0_five", "case": "<b>t9</b>", "result": "pass"}}"#;
const END: &str = r#"- {"dt": "2026-11-22T11:23:44.803566+00:00", "lvl": "results", "msg": {"definition": "lava", "case": "job", "result": "pass"}}"#;

/// A lab in which job 1 passed its test, job 2 failed it, and job 3 waits.
fn lab() -> Lab {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    for log in [&LOG[..2], &[WORSE, NEW, END]] {
        lab.submit("");
        worker.run(log, "result=pass&error_type=");
    }
    lab.rest("POST", "/devices/virtual01/set_health/", &json!({"health": "Maintenance"}));
    lab.submit("tags: []\n");
    lab
}

#[track_caller]
fn check(lab: &Lab, path: &str, expected: &[&str]) {
    let (status, page) = lab.send("GET", path, &[], b"");
    assert_eq!(status, 200, "{path}: {page}");
    // Escaped where it comes from a value, which is the same to a browser.
    let page = page.replace("&#x2f;", "/");
    for words in expected {
        assert!(page.contains(words), "no `{words}` in {path}:\n{page}");
    }
    for foreign in ["src=\"http", "href=\"http", " style=", "<b>t9", "onclick="] {
        assert!(!page.contains(foreign), "`{foreign}` in {path}");
    }
}

#[test]
fn pages_tell_what_happened() {
    let lab = lab();
    check(&lab, "/", &["The lab", "1 device", "/scheduler/job/2"]);
    let failed =
        ["1 test failed", "0_five/t3", "href=\"#L2\"", "Compare with 1", "/scheduler/job/2/stream?first=0"];
    check(&lab, "/scheduler/job/2", &failed);
    check(&lab, "/scheduler/job/3", &["It waits.", "href=\"/scheduler/device_type/virtual\""]);
    check(&lab, "/scheduler/queue", &["1 job waits", "What it waits for", "its health is Maintenance"]);
    check(&lab, "/scheduler/alljobs?health=Complete", &["2 jobs", "value=\"\""]);
    check(&lab, "/results/2", &["Failed", "0_five/t3", "/api/v0.2/jobs/2/junit/", "name=\"before\""]);
    check(&lab, "/results/2/0_five", &["t3", "&lt;b&gt;t9", "/scheduler/job/2#L2"]);
    let differences = ["Got worse", "0_five/t3", "42", "Got better", "&lt;b&gt;t9", "0 the same"];
    check(&lab, "/results/compare?before=1&after=2", &differences);
    check(&lab, "/results/compare?before=2&after=2", &["Both jobs have the same results.", "2 the same"]);
    check(&lab, "/scheduler/alldevices", &["virtual01", "Maintenance"]);
    check(&lab, "/scheduler/device/virtual01", &["worker1", "/scheduler/job/1"]);
    check(&lab, "/scheduler/allworkers", &["worker1", "Online"]);
    check(&lab, "/scheduler/worker/worker1", &["virtual01"]);
    check(&lab, "/scheduler/device_types", &["virtual"]);
    check(
        &lab,
        "/api/help/",
        &["/api/v0.2/jobs/{id}/cancel/", "scheduler.jobs.submit(definition)", "definition: text"],
    );
    check(&lab, "/login", &["name=\"password\"", "type=\"password\""]);
    assert_eq!(lab.send("GET", "/results/compare?before=1&after=99", &[], b"").0, 404);
}

#[test]
fn a_long_log_is_shown_from_near_its_end_unless_the_whole_is_asked_for() {
    let lab = Lab::start();
    let worker = LavaWorker { token: lab.with_device(), lab: &lab };
    lab.submit("");
    let line = r#"- {"dt": "2026-11-22T11:23:43+00:00", "lvl": "target", "msg": "x"}"#;
    let lines = vec![line; 30_010];
    worker.run(&lines, "result=pass&error_type=");
    check(&lab, "/scheduler/job/1", &["The first 10 lines are left out.", "stream?first=10"]);
    check(&lab, "/scheduler/job/1?whole=yes", &["stream?first=0"]);
    let (_, stream) = lab.send("GET", "/scheduler/job/1/stream?first=30008", &[], b"");
    assert!(
        stream.contains("[30008,") && !stream.contains("[30007,") && stream.contains("event: end"),
        "{stream}"
    );
}

#[test]
fn a_page_may_load_only_what_this_server_has() {
    let lab = Lab::start();
    let answer = ureq::get(format!("{}/", lab.url)).call().unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    for words in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(words), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for asset in ["/static/app.js", "/static/log.js", "/static/style.css"] {
        let (status, text) = lab.send("GET", asset, &[], b"");
        assert!(status == 200 && !text.contains("https://"), "{asset}");
    }
    assert_eq!(lab.rest("GET", "/system/whoami/", &Value::Null)["user"], "admin");
}

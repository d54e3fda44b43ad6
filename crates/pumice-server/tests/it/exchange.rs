//! What LAVA's worker says to a server, for tests that need jobs that ran.

use serde_json::Value;

use crate::lab::Lab;

/// LAVA's worker, as far as the recorded exchange goes.
pub(crate) struct LavaWorker<'l> {
    pub(crate) lab: &'l Lab,
    pub(crate) token: String,
}

impl LavaWorker<'_> {
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str, form: &str) -> (u16, Value) {
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

    pub(crate) fn ping(&self) -> Value {
        let (status, answer) = self.ask("GET", "/workers/worker1/?version=2026.07", &self.token, "");
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The job that the ping offers, with its token.
    pub(crate) fn offered(&self) -> (i64, String) {
        let offer = self.ping()["start"][0].clone();
        (offer["id"].as_i64().unwrap(), offer["token"].as_str().unwrap().to_owned())
    }
}

impl LavaWorker<'_> {
    /// Takes the job that is offered, logs these lines and ends it; `end` is the rest of LAVA's form.
    pub(crate) fn run(&self, log: &[&str], end: &str) -> i64 {
        let (id, token) = self.offered();
        let path = format!("/jobs/{id}/");
        assert_eq!(self.ask("GET", &path, &token, "").0, 200);
        assert_eq!(self.ask("POST", &path, &token, "state=RUNNING").0, 200);
        let form = format!("lines={}&index=0", encoded(&log.join("\n")));
        assert_eq!(self.ask("POST", &format!("{path}logs/"), &token, &form).0, 200);
        let form = format!("state=FINISHED&{end}&errors=&description=");
        assert_eq!(self.ask("POST", &path, &token, &form).0, 200);
        id
    }
}

/// Every byte percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// A log of LAVA's runner.
pub(crate) const LOG: [&str; 4] = [
    r#"- {"dt": "2026-11-22T11:23:43.757260+00:00", "lvl": "info", "msg": "lava-dispatcher, installed at version: 2026.07"}"#,
    r#"- {"dt": "2026-11-22T11:23:43.803566+00:00", "lvl": "results", "msg": {"definition": "0_five", "case": "t3", "result": "pass", "measurement": ! "42.0", "units": "ms", "starttc": ! "441", "endtc": ! "441"}}"#,
    r#"- {"dt": "2026-11-22T11:23:44.803566+00:00", "lvl": "results", "msg": {"definition": "lava", "case": "job", "result": "fail", "error_type": "Infrastructure", "error_msg": "no room"}}"#,
    r#"- {"dt": "2026-11-22T11:23:45+00:00", "lvl": "info", "msg": "the end"}"#,
];

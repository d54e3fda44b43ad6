//! XML-RPC with arguments that no well-behaved client sends, from people who may and may not.

use base64::Engine as _;

use crate::lab::{JOB, Lab};

/// What a call comes to: the answer's text, whatever it is.
fn call(lab: &Lab, who: Option<(&str, &str)>, method: &str, arguments: &[&str]) -> String {
    let arguments = arguments
        .iter()
        .fold(String::new(), |text, value| text + &format!("<param><value>{value}</value></param>"));
    let call =
        format!("<methodCall><methodName>{method}</methodName><params>{arguments}</params></methodCall>");
    let basic = who.map(|(user, token)| {
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{token}")))
    });
    let mut headers = vec![("Content-Type", "text/xml")];
    headers.extend(basic.iter().map(|basic| ("Authorization", basic.as_str())));
    lab.send("POST", "/RPC2", &headers, call.as_bytes()).1
}

#[test]
fn odd_calls_are_answered_as_lava_answers_them() {
    let lab = Lab::start();
    lab.with_device();
    lab.rest("POST", "/devices/virtual01/set_health/", &serde_json::json!({"health": "Maintenance"}));
    lab.submit("");
    lab.submit("metadata: {branch: main}\n");
    let personal = JOB.replace("visibility: public", "visibility: personal").replace("plain", "hidden");
    lab.rest("POST", "/jobs/", &serde_json::json!({ "definition": personal }));
    let alice = lab.user("alice");
    let (admin, alice) = (Some(("admin", lab.token.as_str())), Some(("alice", alice.as_str())));
    let (nil, id) = ("<nil/>", "<int>1</int>");
    let fault = |code: i32| format!("<int>{code}</int>");
    let check = |who, method: &str, arguments: &[&str], says: &[&str], never: &[&str]| {
        let answer = call(&lab, who, method, arguments);
        for word in says {
            assert!(answer.contains(word), "{method} {arguments:?}: no `{word}` in {answer}");
        }
        for word in never {
            assert!(!answer.contains(word), "{method} {arguments:?}: `{word}` in {answer}");
        }
    };
    // Arguments of the wrong kind, too many, too few.
    check(admin, "scheduler.jobs.show", &[], &[&fault(400), "argument 1 is missing"], &[]);
    check(admin, "scheduler.jobs.show", &[nil], &[&fault(400)], &[]);
    check(admin, "scheduler.jobs.show", &[id, id], &[&fault(400), "at most 1"], &[]);
    check(admin, "scheduler.jobs.show", &["<boolean>1</boolean>"], &[&fault(400), "a boolean"], &[]);
    check(admin, "scheduler.jobs.show", &["1"], &["<name>submitter</name>"], &["fault"]);
    check(admin, "scheduler.jobs.show", &["<string> 1 </string>"], &["<name>submitter</name>"], &["fault"]);
    check(admin, "scheduler.jobs.list", &[nil, nil, "<int>-1</int>"], &[&fault(400), "at least 0"], &[]);
    check(admin, "scheduler.jobs.list", &["<string>NOPE</string>"], &[&fault(400), "NOPE"], &[]);
    check(admin, "scheduler.jobs.list", &["<string>submitted</string>"], &["Submitted"], &["fault"]);
    check(admin, "scheduler.jobs.nope", &[], &[&fault(-32601)], &[]);
    // No types are all types.
    let none = "<array><data></data></array>";
    check(admin, "scheduler.jobs.queue", &[none], &["hidden", "plain"], &["fault"]);
    check(alice, "scheduler.jobs.queue", &[none], &["plain"], &["fault", "hidden"]);
    check(None, "scheduler.jobs.queue", &[nil], &["plain"], &["fault", "hidden"]);
    // What is not there, and what may not be seen.
    check(admin, "scheduler.jobs.show", &["<int>99</int>"], &[&fault(404), "Job '99' was not found."], &[]);
    check(alice, "scheduler.jobs.show", &["<int>3</int>"], &[&fault(403)], &["hidden"]);
    check(None, "scheduler.jobs.show", &["<int>3</int>"], &[&fault(401)], &["hidden"]);
    check(alice, "scheduler.job_details", &["<int>3</int>"], &[&fault(403)], &["hidden"]);
    check(alice, "scheduler.job_output", &["<int>3</int>"], &[&fault(403)], &[]);
    check(alice, "results.get_testjob_metadata", &["<int>3</int>"], &[&fault(403)], &[]);
    check(alice, "scheduler.all_jobs", &[], &["plain"], &["hidden"]);
    for method in ["scheduler.get_recent_jobs_for_device", "scheduler.get_recent_jobs_for_device_type"] {
        check(admin, method, &["<string>nope</string>"], &[&fault(404), "nope"], &[]);
    }
    // Queries: by conditions only.
    let query = |text: &str| [String::from("<string>testjob</string>"), format!("<string>{text}</string>")];
    let asked = |who, text: &str, says: &[&str], never: &[&str]| {
        let [entity, conditions] = query(text);
        check(who, "results.make_custom_query", &[&entity, &conditions], says, never);
    };
    asked(admin, "testjob__priority__exact__Medium", &["plain", "hidden"], &["fault"]);
    asked(alice, "testjob__priority__exact__Medium", &["plain"], &["fault", "hidden"]);
    asked(admin, "testjob__description__iexact__HIDDEN", &["hidden"], &["plain"]);
    asked(admin, "testjob__description__ne__hidden,testjob__id__gt__1", &["<int>2</int>"], &["hidden"]);
    asked(admin, "testjob__metadata__branch__exact__main", &["<int>2</int>"], &["hidden"]);
    asked(admin, "testjob__nope__exact__1", &[&fault(400)], &[]);
    asked(admin, "nonsense", &[&fault(400)], &[]);
    let name = "<string>nightly</string>";
    check(alice, "results.run_query", &[name], &[&fault(404), "nightly owned by user alice"], &[]);
    check(alice, "results.refresh_query", &[name], &[&fault(404)], &[]);
    check(None, "results.refresh_query", &[name], &[&fault(401)], &[]);
    check(alice, "results.refresh_all_queries", &[], &[&fault(403)], &[]);
    check(admin, "results.refresh_all_queries", &[], &["<nil/>"], &["fault"]);
}

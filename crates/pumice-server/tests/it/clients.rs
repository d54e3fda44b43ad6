//! What other clients of LAVA send and read, as the sheet of facts has it (clients.md 3), each with the calls it makes.

use serde_json::{Value, json};

use crate::{
    exchange::{LOG, LavaWorker},
    lab::{JOB, Lab},
};

/// A lab with a job that ran and failed.
fn lab() -> (Lab, i64) {
    let lab = Lab::start();
    let token = lab.with_device();
    lab.submit("metadata: {branch: main}\n");
    let worker = LavaWorker { lab: &lab, token };
    let id = worker.run(&LOG, "result=fail&error_type=Infrastructure");
    (lab, id)
}

/// The answer to a call of XML-RPC with arguments in XML.
fn call(lab: &Lab, method: &str, arguments: &[&str]) -> String {
    let arguments = arguments
        .iter()
        .fold(String::new(), |text, value| text + &format!("<param><value>{value}</value></param>"));
    let call = format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{arguments}</params></methodCall>"
    );
    let basic = basic(lab);
    let headers = [("Authorization", basic.as_str()), ("Content-Type", "text/xml")];
    let (status, answer) = lab.send("POST", "/RPC2", &headers, call.as_bytes());
    assert_eq!(status, 200, "{method}: {answer}");
    answer
}

fn basic(lab: &Lab) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("admin:{}", lab.token)))
}

fn int(id: i64) -> String {
    format!("<int>{id}</int>")
}

fn text(text: &str) -> String {
    format!("<string>{}</string>", text.replace('&', "&amp;").replace('<', "&lt;"))
}

#[track_caller]
fn says(answer: &str, words: &[&str]) {
    for word in words {
        assert!(answer.contains(word), "no `{word}` in {answer}");
    }
}

#[test]
fn squad_submits_watches_and_reads() {
    let (lab, id) = lab();
    let submitted = call(&lab, "scheduler.submit_job", &[&text(JOB)]);
    says(&submitted, &["<int>2</int>"]);
    says(&call(&lab, "scheduler.cancel_job", &[&int(2)]), &["<boolean>1</boolean>"]);
    says(&call(&lab, "scheduler.resubmit_job", &[&text("1")]), &["<int>3</int>"]);
    let details = call(&lab, "scheduler.job_details", &[&int(id)]);
    says(
        &details,
        &["<name>status</name>", "Incomplete", "<name>definition</name>", "<name>start_time</name>"],
    );
    assert!(!details.contains("password"), "{details}");
    says(&call(&lab, "scheduler.jobs.definition", &[&int(id)]), &["job_name: plain"]);
    says(&call(&lab, "scheduler.get_publisher_event_socket", &[]), &["<value>"]);
    let suites = call(&lab, "results.get_testjob_suites_list_yaml", &[&int(id)]);
    says(&suites, &["- name: 0_five", "- name: lava"]);
    let suite =
        call(&lab, "results.get_testsuite_results_yaml", &[&int(id), &text("0_five"), &int(100), &int(0)]);
    says(&suite, &["name: t3", "measurement: '42.0000000000'", "unit: ms", "log_start_line: '441'"]);
    let own = call(&lab, "results.get_testsuite_results_yaml", &[&int(id), &text("lava"), &int(1), &int(0)]);
    says(&own, &["measurement: None", "error_msg: no room"]);

    let plain = format!("/scheduler/job/{id}/log_file/plain?user=admin&token={}", lab.token);
    let (status, log) = lab.send("GET", &plain, &[], b"");
    assert_eq!((status, log.lines().count()), (200, 4));
    assert_eq!(lab.send("GET", &format!("/api/v0.2/jobs/{id}"), &[], b"").0, 301, "to the path with a slash");
    let suites = lab.rest("GET", &format!("/jobs/{id}/suites/?limit=10"), &Value::Null);
    let suite = suites["results"].as_array().unwrap().iter().find(|suite| suite["name"] == "0_five").unwrap();
    assert_eq!(
        lab.send("GET", &format!("/api/v0.2/jobs/{id}/suites/{}/tests", suite["id"]), &[], b"").0,
        301
    );
    let tests = lab.rest("GET", &format!("/jobs/{id}/suites/{}/tests/", suite["id"]), &Value::Null);
    assert_eq!(
        (&tests["results"][0]["name"], &tests["results"][0]["start_log_line"]),
        (&json!("t3"), &json!(441))
    );
    assert!(lab.rest("GET", "/system/master_config/", &Value::Null)["EVENT_TOPIC"].is_string());
    let (status, again) = lab.rest_as(&lab.token, "POST", &format!("/jobs/{id}/resubmit/"), &json!({}));
    assert_eq!(status, 201, "{again}");
}

#[test]
fn kernelci_counts_the_queue_and_the_devices() {
    let (lab, id) = lab();
    lab.rest("POST", "/devices/virtual01/set_health/", &json!({"health": "Maintenance"}));
    lab.submit("");
    let queue = lab.rest("GET", "/jobs/?state=Submitted&requested_device_type=virtual&limit=1", &Value::Null);
    assert_eq!(queue["count"], 1);
    let devices = lab.rest("GET", "/devices/?device_type=virtual&limit=100", &Value::Null);
    assert_eq!((&devices["count"], &devices["results"][0]["health"]), (&json!(1), &json!("Maintenance")));
    let job = lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null);
    assert_eq!((&job["state"], &job["health"]), (&json!("Finished"), &json!("Incomplete")));
    let (status, said) = lab.rest_as(&lab.token, "POST", "/jobs/", &json!({"definition": "job_name: x"}));
    assert!(status == 400 && said.contains("message"), "{status} {said}");
}

#[test]
fn the_connector_of_tf_m_asks_both_apis() {
    let (lab, id) = lab();
    says(&call(&lab, "scheduler.validate_yaml", &[&text(JOB)]), &["<value>"]);
    says(&call(&lab, "scheduler.validate_yaml", &[&text("job_name: x")]), &["<name>faultCode</name>"]);
    says(&call(&lab, "scheduler.devices.list", &[]), &["virtual01", "<name>current_job</name>"]);
    says(&call(&lab, "scheduler.job_state", &[&int(id)]), &["<name>job_state</name>", "Finished"]);
    says(&call(&lab, "scheduler.job_health", &[&int(id)]), &["<name>job_health</name>", "Incomplete"]);
    says(&call(&lab, "scheduler.jobs.show", &[&int(id)]), &["<name>device_type</name>", "dateTime.iso8601"]);
    says(&call(&lab, "scheduler.jobs.cancel", &[&int(id)]), &["methodResponse"]);
    let token = format!("user=admin&token={}", lab.token);
    let (status, log) = lab.send("GET", &format!("/api/v0.2//jobs/{id}/logs/?{token}"), &[], b"");
    assert!(status == 200 && log.starts_with("- {"), "{status} {log}");
    let (status, yaml) = lab.send("GET", &format!("/results/{id}/yaml?{token}"), &[], b"");
    assert!(status == 200 && yaml.contains("name: t3"), "{status} {yaml}");
    let address = format!("{}/scheduler/job/{id}/configuration?{token}", lab.url);
    let archive = ureq::get(address).call().unwrap().body_mut().read_to_vec().unwrap();
    assert!(archive.starts_with(b"BZh"), "an archive of bzip2");
}

#[test]
fn every_field_of_a_device_type_can_be_set_and_changed() {
    let lab = Lab::start();
    let first = json!({"name": "board", "architecture": "arm64", "cores": ["a53", "a57"], "core_count": 6, "bits": 64});
    lab.rest("POST", "/devicetypes/", &first);
    let change =
        json!({"cpu_model": "juno", "core_count": 4, "health_frequency": 12, "health_denominator": "jobs"});
    let shown = lab.rest("PATCH", "/devicetypes/board/", &change);
    for (name, expected) in first.as_object().unwrap().iter().chain(change.as_object().unwrap()) {
        if name != "core_count" {
            assert_eq!(&shown[name], expected, "{name} of {shown}");
        }
    }
    assert_eq!(shown["core_count"], 4);
    lab.rest("POST", "/aliases/", &json!({"name": "other", "device_type": "board"}));
    lab.rest("POST", "/devicetypes/", &json!({"name": "second"}));
    lab.rest("PUT", "/aliases/other/", &json!({"device_type": "second"}));
    assert_eq!(lab.rest("GET", "/aliases/other/", &Value::Null)["device_type"], "second");
    let alike =
        lab.rest("GET", "/devicetypes/?architecture__name=arm64&cpu_model__contains=jun", &Value::Null);
    assert_eq!(alike["count"], 1);
}

#[test]
fn lists_are_narrowed_by_what_is_related() {
    let (lab, id) = lab();
    let tag = lab.rest("POST", "/tags/", &json!({"name": "big"}))["id"].clone();
    lab.rest("PATCH", "/devices/virtual01/", &json!({"tags": [tag]}));
    let count = |path: &str| lab.rest("GET", path, &Value::Null)["count"].as_i64().unwrap();
    for (path, expected) in [
        (format!("/jobs/?id__in={id},77"), 1),
        ("/jobs/?requested_device_type__name__in=virtual,other".to_owned(), 1),
        ("/jobs/?requested_device_type__display=false".to_owned(), 0),
        ("/jobs/?actual_device__hostname__startswith=virt".to_owned(), 1),
        ("/jobs/?actual_device__health=Good".to_owned(), 0),
        ("/jobs/?submitter__username=admin".to_owned(), 1),
        ("/jobs/?submitter__email__contains=x".to_owned(), 0),
        ("/jobs/?metadata__branch=main".to_owned(), 1),
        ("/jobs/?metadata__branch__in=dev,test".to_owned(), 0),
        ("/jobs/?end_time__isnull=true".to_owned(), 0),
        ("/jobs/?failure_tags__name=flaky".to_owned(), 0),
        ("/jobs/?failure_tags__name__in=flaky,board&failure_tags__description__contains=x".to_owned(), 0),
        ("/jobs/?failure_tags__isnull=true".to_owned(), 1),
        ("/jobs/?failure_tags=1".to_owned(), 0),
        ("/jobs/?viewing_groups__isnull=true&actual_device__isnull=false".to_owned(), 1),
        ("/jobs/?limit=x&offset=-7".to_owned(), 1),
        ("/devices/?tags__name=big".to_owned(), 1),
        (format!("/devices/?tags={tag}"), 1),
        ("/devices/?tags__id=999".to_owned(), 0),
        ("/devices/?worker_host__hostname=worker1&device_type__name=virtual".to_owned(), 1),
        (format!("/jobs/{id}/tests/?measurement=42"), 1),
        (format!("/jobs/{id}/tests/?suite__name=lava&result=fail"), 1),
    ] {
        assert_eq!(count(&path), expected, "{path}");
    }
    for (path, expected) in [
        ("/jobs/?submit_time__gt=soon", 400),
        ("/jobs/?failure_tags__isnull=perhaps", 400),
        ("/users/me/", 404),
        ("/tags/big/", 404),
        ("/jobs/nonsense/", 404),
        ("/jobs/1.7/", 404),
    ] {
        let (status, said) = lab.rest_as(&lab.token, "GET", path, &Value::Null);
        assert!(status == expected && said.starts_with("{\"detail\":"), "{path}: {status} {said}");
    }
}

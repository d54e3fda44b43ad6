//! What PyYAML reads, with libyaml and without.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use pumice_record::{
    DescribedStep, JobResult, LogLevel, LogRecord, Message, Timestamp,
    export::{write_csv, write_yaml, yaml_item},
    write_description, write_line, write_result,
};
use pumice_types::{CaseResult, Mask};
use serde_json::{Value, json};

use crate::exports::report;

/// Runs a Python program on `input`; `None` when there is no Python with PyYAML.
fn python(program: &str, input: &str) -> Option<String> {
    let probe = Command::new("python3").args(["-c", "import yaml"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: there is no python3 with PyYAML (apt-get install python3-yaml)");
        return None;
    }
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What both of PyYAML's readers make of `text`, as JSON; also how many lines Python sees.
fn read(text: &str) -> Option<(Value, u64)> {
    let program = "
import json, sys, yaml
text = sys.stdin.buffer.read().decode()
slow = yaml.load(text, yaml.SafeLoader)
if yaml.__with_libyaml__:
    assert slow == yaml.load(text, yaml.CSafeLoader)
print(json.dumps([slow, len(text.splitlines())]))
";
    let output = python(program, text)?;
    let both: Value = serde_json::from_str(&output).unwrap();
    Some((both[0].clone(), both[1].as_u64().unwrap()))
}

#[test]
fn log_lines_are_read_as_they_were_meant() {
    let everything: String = ('\0'..='\u{180}')
        .chain(['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffd}', '\u{1f600}', '\u{10ffff}'])
        .collect();
    let messages = [
        Message::Text(everything.clone()),
        Message::Text(String::new()),
        Message::Text("yes".to_owned()),
        Message::Text("- a: b # {c}, [d] 'e' \"f\" \\ ! & * | > % @ `".to_owned()),
        Message::Structured(json!({
            "definition": "0_t", "n": 5, "f": 42.0, "big": 1e300, "small": -2.5e-10, "none": null, "on": true,
            "list": [[], {}, ""], "12": "12", everything: 1,
        })),
        Message::Structured(json!([1, "2"])),
    ];
    let mut text = String::new();
    let mut expected = Vec::new();
    for (message, micros) in messages.into_iter().zip(0..) {
        let value = match &message {
            Message::Text(text) => Value::from(text.as_str()),
            Message::Structured(value) => value.clone(),
        };
        expected.push(
            json!({"dt": Timestamp(micros).to_string(), "lvl": "feedback", "msg": value, "ns": "a\"b"}),
        );
        let record = LogRecord {
            at: Timestamp(micros),
            level: LogLevel::Feedback,
            message,
            namespace: Some("a\"b".to_owned()),
        };
        text.push_str("- ");
        write_line(&record, &Mask::default(), &mut text);
        text.push('\n');
    }
    let Some((found, lines)) = read(&text) else { return };
    assert_eq!(found, Value::from(expected.clone()));
    assert_eq!(lines, expected.len() as u64);
}

#[test]
fn description_and_result_are_read_as_they_were_meant() {
    let step = |name: &str, level: &str, children| DescribedStep {
        class: "Step".to_owned(),
        name: name.to_owned(),
        level: level.to_owned(),
        max_retries: 1,
        description: "with: a colon".to_owned(),
        summary: "hunter2".to_owned(),
        timeout: Duration::from_millis(120_500),
        url: (level == "1.1").then(|| "file:///a b".to_owned()),
        children,
    };
    let steps = [
        step("one", "1", vec![step("two", "1.1", vec![step("three", "1.1.1", Vec::new())])]),
        step("finalize", "2", Vec::new()),
    ];
    let text = write_description(&steps, &Mask::new(["hunter2".to_owned()]));
    let Some((found, _)) = read(&text) else { return };
    let pipeline = &found["pipeline"];
    assert_eq!(pipeline[1]["name"], "finalize");
    assert_eq!(pipeline[1]["timeout"], 120);
    assert_eq!(pipeline[0]["level"], "1");
    assert_eq!(pipeline[0]["summary"], "[MASKED]");
    assert_eq!(pipeline[0]["pipeline"][0]["url"], "file:///a b");
    assert_eq!(pipeline[0]["pipeline"][0]["pipeline"][0]["level"], "1.1.1");
    assert_eq!(read(&write_description(&[], &Mask::default())).unwrap().0, json!({"pipeline": []}));
    let result = JobResult {
        result: CaseResult::Fail,
        error_msg: Some("it's: \"bad\"\n".to_owned()),
        error_type: Some("Job".to_owned()),
    };
    let (found, _) = read(&write_result(&result, &Mask::default())).unwrap();
    let expected = json!({
        "definition": "lava", "case": "job", "result": "fail", "error_msg": "it's: \"bad\"\n", "error_type": "Job",
    });
    assert_eq!(found, expected);
}

#[test]
fn exported_lists_and_tables_are_read_as_they_were_meant() {
    let report = report();
    let Some((found, _)) = read(&write_yaml(&report, &Mask::default())) else { return };
    let expected: Vec<_> = report.results.iter().map(|result| yaml_item("42", result)).collect();
    assert_eq!(found, Value::from(expected));
    let program = "
import ast, csv, json, sys
rows = list(csv.DictReader(sys.stdin))
print(json.dumps([ast.literal_eval(row['metadata']) for row in rows]))
";
    let output = python(program, &write_csv(&report, &Mask::default())).unwrap();
    let metadata: Value = serde_json::from_str(&output).unwrap();
    for (item, found) in report.results.iter().zip(metadata.as_array().unwrap()) {
        assert_eq!(&yaml_item("42", item)["metadata"], found);
    }
}

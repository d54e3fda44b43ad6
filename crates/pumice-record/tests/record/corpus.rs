//! LAVA's own files: what its server and its runner wrote for one job.

use std::{fs, path::PathBuf};

use pumice_record::{
    LogLevel, LogRecord, Message, ResultRecord, Timestamp,
    export::{JobReport, JunitStyle, LoggedResult, write_csv, write_junit, write_tap, yaml_item},
    read_log, write_line,
};
use pumice_types::{Mask, SourceId};
use pumice_yaml::Node;
use serde_json::Value;

/// The text of a file of the recorded job; `None` without the corpus.
fn file(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/server-job").join(name);
    let text = fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: there is no corpus at {}", path.display());
    }
    text
}

fn yaml(text: &str) -> Node {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    node.unwrap()
}

fn records(text: &str) -> Vec<LogRecord> {
    read_log(text).collect::<Result<_, _>>().unwrap()
}

#[test]
fn lavas_logs_are_read_and_written_again_the_same() {
    for name in ["runner-logs.yaml", "output.yaml"] {
        let Some(text) = file(name) else { return };
        let records = records(&text);
        assert_eq!(records.len(), text.lines().count());
        assert!(records.iter().any(|record| record.level == LogLevel::Results));
        for (record, line) in records.iter().zip(text.lines()) {
            let mut written = String::from("- ");
            write_line(record, &Mask::default(), &mut written);
            // The one difference: numbers are plain (lava-compat 3.3).
            let mut plain = line.to_owned();
            while let Some(at) = plain.find("! \"") {
                let end = at + 3 + plain[at + 3..].find('"').unwrap();
                plain = format!("{}{}{}", &plain[..at], &plain[at + 3..end], &plain[end + 1..]);
            }
            assert_eq!(written, plain);
        }
    }
}

/// The report of the recorded job from its log, with the ids and times of LAVA's database.
fn report(log: &str, list: &Node) -> JobReport {
    let results = records(log).into_iter().filter(|record| record.level == LogLevel::Results);
    let mut left: Vec<&Node> = list.as_seq().unwrap().iter().collect();
    let results = results.map(|record| {
        let Message::Structured(message) = record.message else { panic!("a result that is text") };
        let record = ResultRecord::from_json(&message).unwrap();
        let text = |node: &Node, key: &str| node.get(key).unwrap().scalar_text().unwrap();
        let place = left
            .iter()
            .position(|node| text(node, "name") == record.case && text(node, "suite") == record.suite)
            .unwrap();
        let stored = left.remove(place);
        LoggedResult {
            id: text(stored, "id").parse().unwrap(),
            at: Timestamp::parse(&text(stored, "logged")).unwrap(),
            record,
            excerpt: None,
        }
    });
    let results = results.collect();
    JobReport {
        job: "200".to_owned(),
        name: "srv qemu".to_owned(),
        device: None,
        device_type: None,
        started: None,
        ended: Timestamp::parse("2026-11-22T10:35:48.835629+00:00"),
        verdict: None,
        failure: None,
        results,
    }
}

#[test]
fn exports_of_the_recorded_job_say_what_lavas_say() {
    let (Some(log), Some(list)) = (file("output.yaml"), file("lavacli-results.yaml")) else { return };
    let list = yaml(&list);
    let report = report(&log, &list);
    assert_eq!(report.results.len(), 17);
    let item = |id: i64| {
        let found = list
            .as_seq()
            .unwrap()
            .iter()
            .find(|node| node.get("id").unwrap().scalar_text() == Some(id.to_string()));
        found.unwrap().to_json()
    };
    for result in &report.results {
        assert_eq!(yaml_item("200", result), item(result.id));
    }
    // Row by row but for the metadata, whose keys LAVA has in the order of each result's own code.
    let metadata = |line: &str| {
        let start = line.find("\"{'").unwrap();
        let end = line.find("\"/results").unwrap();
        format!("{}{}", &line[..start], &line[end..])
    };
    let sorted = |text: &str| {
        let mut rows: Vec<_> = text.lines().skip(1).map(metadata).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(&write_csv(&report, &Mask::default())), sorted(&file("rest-csv").unwrap()));
    assert_eq!(write_tap(&report, &Mask::default()).trim_end(), file("rest-tap13").unwrap().trim_end());
    let cases = |text: &str| text.matches("<testcase ").count();
    let junit = write_junit(&report, JunitStyle::default(), &Mask::default());
    let lavas = file("rest-junit").unwrap();
    assert_eq!(cases(&junit), cases(&lavas));
    assert_eq!(junit.matches("<failure").count(), lavas.matches("<failure").count());
}

#[test]
fn lavas_description_is_read_by_the_same_yaml_as_ours() {
    let Some(text) = file("description.yaml") else { return };
    let described = yaml(&text).to_json();
    let last = described["pipeline"].as_array().unwrap().last().unwrap();
    assert_eq!(last["name"], Value::from("finalize"));
}

//! A report with everything in it, in every form.

use std::time::Duration;

use expect_test::expect;
use pumice_record::{
    ResultRecord, Timestamp,
    export::{
        JobReport, JunitStyle, LoggedResult, summarise, unfinished, write_csv, write_junit, write_tap,
        write_yaml,
    },
};
use pumice_types::{CaseResult, Cause, Failure, Mask, Verdict};

const AT: i64 = 1_785_837_600_123_456;

fn mask() -> Mask {
    Mask::new(["hunter2".to_owned()])
}

/// A job with one case of each kind.
pub(crate) fn report() -> JobReport {
    let records = [
        ResultRecord {
            duration: Some(Duration::from_millis(1500)),
            level: Some("2.2.1".to_owned()),
            extra: Some(serde_json::json!({"a": 1, "b": [null, true, "it's"]})),
            ..ResultRecord::new("lava", "login-action", CaseResult::Pass)
        },
        ResultRecord {
            measurement: Some(42.5),
            units: Some("ms".to_owned()),
            start_line: Some(430),
            end_line: Some(431),
            ..ResultRecord::new("0_t", "speed <&\"> # é hunter2", CaseResult::Pass)
        },
        ResultRecord {
            error_msg: Some("bad\nnews".to_owned()),
            ..ResultRecord::new("0_t", "broken", CaseResult::Fail)
        },
        ResultRecord::new("0_t", "later", CaseResult::Skip),
        ResultRecord { measurement: Some(0.0), ..ResultRecord::new("0_t", "odd", CaseResult::Unknown) },
        ResultRecord {
            duration: Some(Duration::ZERO),
            uuid: Some("42_1.1".to_owned()),
            repository: Some("https://example.org/r".into()),
            path: Some("t.yaml".to_owned()),
            ..ResultRecord::new("lava", "0_t", CaseResult::Fail)
        },
    ];
    let results = records.into_iter().zip(1..).map(|(record, id)| LoggedResult {
        id,
        at: Timestamp(AT + id),
        excerpt: (record.result == CaseResult::Fail)
            .then(|| "the log\u{1b}[0m says </failure> hunter2".to_owned()),
        record,
    });
    JobReport {
        job: "42".to_owned(),
        name: "a & b".to_owned(),
        device: Some("qemu01".to_owned()),
        device_type: Some("qemu".to_owned()),
        started: Some(Timestamp(AT)),
        ended: Some(Timestamp(AT + 60_000_000)),
        verdict: Some(Verdict::Incomplete),
        failure: Some(
            Failure::new(Cause::SignalLost, "signals were lost").hint("look").evidence("uart", "x"),
        ),
        results: results.collect(),
    }
}

#[test]
fn junit_escapes_and_counts() {
    let style = JunitStyle { class_prefix: Some("p"), unknown_passes: false };
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <testsuites name="a &amp; b" tests="6" failures="2" errors="0" skipped="2" time="1.500000">
        	<testsuite name="lava" tests="2" failures="1" errors="0" skipped="0" time="1.500000" timestamp="2026-08-04T10:01:00.123456+00:00">
        		<testcase name="login-action" classname="p_lava" time="1.500000" timestamp="2026-08-04T10:00:00.123457+00:00"/>
        		<testcase name="0_t" classname="p_lava" time="0.000000" timestamp="2026-08-04T10:00:00.123462+00:00">
        			<failure type="failure" message="failed">the log�[0m says &lt;/failure&gt; [MASKED]</failure>
        		</testcase>
        	</testsuite>
        	<testsuite name="0_t" tests="4" failures="1" errors="0" skipped="2" time="0.000000" timestamp="2026-08-04T10:01:00.123456+00:00">
        		<testcase name="speed &lt;&amp;&quot;&gt; # é [MASKED]" classname="p_0_t" timestamp="2026-08-04T10:00:00.123458+00:00"/>
        		<testcase name="broken" classname="p_0_t" timestamp="2026-08-04T10:00:00.123459+00:00">
        			<failure type="failure" message="bad news">the log�[0m says &lt;/failure&gt; [MASKED]</failure>
        		</testcase>
        		<testcase name="later" classname="p_0_t" timestamp="2026-08-04T10:00:00.123460+00:00">
        			<skipped/>
        		</testcase>
        		<testcase name="odd" classname="p_0_t" timestamp="2026-08-04T10:00:00.123461+00:00">
        			<skipped message="the result is unknown"/>
        		</testcase>
        	</testsuite>
        </testsuites>
    "#]].assert_eq(&write_junit(&report(), style, &mask()));
}

#[test]
fn tap_is_one_plan() {
    expect![[r#"
        TAP version 13
        1..6
        # TAP results for lava
        ok 1 login-action
        not ok 2 0_t
         ---
         ...
        # TAP results for 0_t
        ok 3 speed <&"> \# é [MASKED]
        not ok 4 broken
         ---
         message: "bad news"
         ...
        ok 5 later # SKIP
        not ok 6 odd # TODO the result is unknown
    "#]]
    .assert_eq(&write_tap(&report(), &mask()));
}

#[test]
fn csv_is_lavas() {
    expect![[r#"
        "job","suite","result","measurement","unit","duration","timeout","logged","level","metadata","url","name","id","log_start_line","log_end_line"
        "42","lava","pass","1.5000000000","seconds","","","2026-08-04 10:00:00.123457+00:00","2.2.1","{'definition': 'lava', 'case': 'login-action', 'level': '2.2.1', 'duration': '1.50', 'result': 'pass', 'extra': [{'a': 1}, {'b': [None, True, ""it's""]}]}","/results/testcase/1","login-action","1","",""
        "42","0_t","pass","42.5000000000","ms","","","2026-08-04 10:00:00.123458+00:00","","{'definition': '0_t', 'case': 'speed <&""> # é [MASKED]', 'result': 'pass', 'measurement': 42.5, 'units': 'ms'}","/results/testcase/2","speed <&""> # é [MASKED]","2","430","431"
        "42","0_t","fail","None","","","","2026-08-04 10:00:00.123459+00:00","","{'definition': '0_t', 'case': 'broken', 'result': 'fail', 'error_msg': 'bad\nnews'}","/results/testcase/3","broken","3","",""
        "42","0_t","skip","None","","","","2026-08-04 10:00:00.123460+00:00","","{'definition': '0_t', 'case': 'later', 'result': 'skip'}","/results/testcase/4","later","4","",""
        "42","0_t","unknown","0E-10","","","","2026-08-04 10:00:00.123461+00:00","","{'definition': '0_t', 'case': 'odd', 'result': 'unknown', 'measurement': 0.0}","/results/testcase/5","odd","5","",""
        "42","lava","fail","0E-10","seconds","","","2026-08-04 10:00:00.123462+00:00","","{'definition': 'lava', 'case': '0_t', 'uuid': '42_1.1', 'repository': 'https://example.org/r', 'path': 't.yaml', 'duration': '0.00', 'result': 'fail'}","/results/testcase/6","0_t","6","",""
    "#]].assert_eq(&write_csv(&report(), &mask()).replace("\r\n", "\n"));
}

#[test]
fn yaml_is_lavas() {
    expect![[r#"
        - id: "1"
          job: "42"
          level: "2.2.1"
          log_end_line: ""
          log_start_line: ""
          logged: "2026-08-04 10:00:00.123457+00:00"
          measurement: "1.5000000000"
          metadata: {"definition": "lava", "case": "login-action", "level": "2.2.1", "duration": "1.50", "result": "pass", "extra": [{"a": 1}, {"b": [null, true, "it's"]}]}
          name: "login-action"
          result: "pass"
          suite: "lava"
          unit: "seconds"
          url: "/results/testcase/1"
        - id: "2"
          job: "42"
          level: ""
          log_end_line: "431"
          log_start_line: "430"
          logged: "2026-08-04 10:00:00.123458+00:00"
          measurement: "42.5000000000"
          metadata: {"definition": "0_t", "case": "speed <&\"> # \xE9 [MASKED]", "result": "pass", "measurement": 42.5, "units": "ms"}
          name: "speed <&\"> # \xE9 [MASKED]"
          result: "pass"
          suite: "0_t"
          unit: "ms"
          url: "/results/testcase/2"
        - id: "3"
          job: "42"
          level: ""
          log_end_line: ""
          log_start_line: ""
          logged: "2026-08-04 10:00:00.123459+00:00"
          measurement: "None"
          metadata: {"definition": "0_t", "case": "broken", "result": "fail", "error_msg": "bad\nnews"}
          name: "broken"
          result: "fail"
          suite: "0_t"
          unit: ""
          url: "/results/testcase/3"
        - id: "4"
          job: "42"
          level: ""
          log_end_line: ""
          log_start_line: ""
          logged: "2026-08-04 10:00:00.123460+00:00"
          measurement: "None"
          metadata: {"definition": "0_t", "case": "later", "result": "skip"}
          name: "later"
          result: "skip"
          suite: "0_t"
          unit: ""
          url: "/results/testcase/4"
        - id: "5"
          job: "42"
          level: ""
          log_end_line: ""
          log_start_line: ""
          logged: "2026-08-04 10:00:00.123461+00:00"
          measurement: 0.0
          metadata: {"definition": "0_t", "case": "odd", "result": "unknown", "measurement": 0.0}
          name: "odd"
          result: "unknown"
          suite: "0_t"
          unit: ""
          url: "/results/testcase/5"
        - id: "6"
          job: "42"
          level: ""
          log_end_line: ""
          log_start_line: ""
          logged: "2026-08-04 10:00:00.123462+00:00"
          measurement: 0.0
          metadata: {"definition": "lava", "case": "0_t", "uuid": "42_1.1", "repository": "https://example.org/r", "path": "t.yaml", "duration": "0.00", "result": "fail"}
          name: "0_t"
          result: "fail"
          suite: "lava"
          unit: "seconds"
          url: "/results/testcase/6"
    "#]].assert_eq(&write_yaml(&report(), &mask()));
}

#[test]
fn summaries_keep_the_order_and_name_what_failed() {
    let summaries = summarise(&report().results);
    let shown: Vec<_> = summaries
        .iter()
        .map(|suite| (suite.name.as_str(), suite.counts.total(), suite.counts.pass, suite.failed.join(",")))
        .collect();
    assert_eq!(shown, [("lava", 2, 1, "0_t".to_owned()), ("0_t", 4, 1, "broken".to_owned())]);
}

#[test]
fn a_definition_that_did_not_come_to_its_end_is_told_by_its_last_try() {
    let mut report = report();
    let unfinished_now = |report: &JobReport| -> Vec<String> {
        unfinished(&report.results).into_iter().map(|one| one.suite).collect()
    };
    assert_eq!(unfinished_now(&report), ["0_t"]);
    let mut again = report.results.iter().find(|one| one.record.case == "0_t").unwrap().clone();
    again.record.result = CaseResult::Pass;
    report.results.push(again);
    assert_eq!(unfinished_now(&report), [""; 0]);
}

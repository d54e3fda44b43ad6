//! What a session makes of signals, without a guest.

use std::time::Duration;

use pumice_guest::{
    SessionEvent, TestSession,
    definition::OutputPattern,
    session::{Moment, Origin, PatternMatch, PlannedRun, SessionPlan},
    signal::{MultiNode, Signal, encode_frame},
};

use crate::harness::tell;

fn planned(suite: &str) -> PlannedRun {
    PlannedRun { suite: suite.to_owned(), ..PlannedRun::default() }
}

fn session(runs: &[&str]) -> TestSession {
    TestSession::new(SessionPlan { stage: 2, runs: runs.iter().map(|suite| planned(suite)).collect() })
}

/// Feeds console lines, given without LAVA's brackets.
fn console(session: &mut TestSession, signals: &[&str]) -> Vec<String> {
    let bracketed = signals.iter().map(|signal| match signal.strip_prefix("TEST_RUNNER") {
        Some(rest) => format!("<LAVA_TEST_RUNNER{rest}>\n"),
        None => format!("<LAVA_SIGNAL_{signal}>\n"),
    });
    tell(session, Origin::Console, bracketed.collect::<Vec<_>>().concat().as_bytes())
}

#[track_caller]
fn check(runs: &[&str], signals: &[&str], expected: &[&str]) {
    assert_eq!(console(&mut session(runs), signals), expected);
}

#[test]
fn a_run_that_is_overtaken_fails_by_name() {
    check(
        &["0_a", "1_b", "2_c"],
        &[
            "STARTRUN 0_a u",
            "TESTCASE TEST_CASE_ID=x RESULT=pass",
            "STARTRUN 1_b u",
            "ENDRUN 1_b u",
            "TEST_RUNNER EXIT",
        ],
        &[
            "0_a/x pass",
            "lava/0_a fail: the next test began before this one came to its end",
            "lava/1_b pass",
            "lava/2_c fail: it was not run: it did not come to its end",
            "over",
        ],
    );
}

#[test]
fn a_case_before_any_run_ends_the_job_and_one_after_a_run_belongs_to_it() {
    check(
        &["0_a"],
        &["TESTCASE TEST_CASE_ID=x RESULT=pass", "STARTRUN 0_a u"],
        &[
            "lava/0_a fail: it was not run: no test had begun",
            "over: signal-invalid: the case `x` was reported before any test began",
        ],
    );
    check(
        &["0_a"],
        &["STARTRUN 0_a u", "ENDRUN 0_a u", "TESTCASE TEST_CASE_ID=late RESULT=pass", "TEST_RUNNER EXIT"],
        &["lava/0_a pass", "0_a/late pass", "over"],
    );
}

#[test]
fn oddities_are_said_and_change_nothing() {
    check(
        &["0_a"],
        &[
            "ENDRUN 0_a u",
            "TESTSET STOP",
            "STARTRUN 0_a u",
            "TESTSET",
            "RETRUNCODE 7",
            "TEST_RUNNER RUN_EXIT 9_x 1",
            "ENDRUN 0_a u",
        ],
        &[
            "warning: the guest ended `0_a`, which was not running",
            "warning: a set of cases was named while no test ran",
            "status 7",
            "lava/0_a pass",
        ],
    );
}

#[test]
fn every_run_that_was_cut_short_fails_with_its_missing_cases() {
    let mut runs = vec![planned("0_a"), planned("1_b")];
    for run in &mut runs {
        run.expected = Some(vec!["x".to_owned(), "y".to_owned()]);
    }
    let mut session = TestSession::new(SessionPlan { stage: 0, runs });
    console(&mut session, &["STARTRUN 0_a u", "TESTCASE TEST_CASE_ID=x RESULT=pass"]);
    let events = session.abort("the time was over", Moment { at: Duration::from_secs(3), line: 0 });
    let results: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            SessionEvent::Result(outcome) => {
                Some((outcome.suite.as_str(), outcome.case.as_str(), outcome.duration))
            }
            _ => None,
        })
        .collect();
    let took = Some(Duration::from_secs(3));
    assert_eq!(
        results,
        [
            ("lava", "0_a", took),
            ("0_a", "y", None),
            ("lava", "1_b", None),
            ("1_b", "x", None),
            ("1_b", "y", None)
        ]
    );
    assert!(session.abort("again", Moment::default()).is_empty());
    assert_eq!(console(&mut session, &["STARTRUN 0_a u"]), [""; 0]);
}

/// The lines of a result.
fn lines(events: &[SessionEvent]) -> (Option<u64>, Option<u64>) {
    match events {
        [SessionEvent::Result(outcome)] => (outcome.start_line, outcome.end_line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_place_of_a_cases_output_is_kept_for_each_suite() {
    let mut session = session(&["0_a"]);
    let mut at = |text: &str, line: u64| {
        let mut reader = pumice_guest::SignalReader::console();
        let mut found = Vec::new();
        reader.push(format!("<LAVA_SIGNAL_{text}>").as_bytes(), &mut found);
        let moment = Moment { at: Duration::ZERO, line };
        session.receive(Origin::Console, found.remove(0).signal, moment)
    };
    at("STARTRUN 0_a u", 1);
    at("STARTTC x", 2);
    at("ENDTC x", 5);
    assert_eq!(lines(&at("TESTCASE TEST_CASE_ID=x RESULT=pass", 6)), (Some(2), Some(5)));
    // Without marks it is where the result stands; an end that was lost is where the result stands.
    assert_eq!(lines(&at("TESTCASE TEST_CASE_ID=x RESULT=pass", 7)), (Some(7), Some(7)));
    at("STARTTC y", 8);
    assert_eq!(lines(&at("TESTCASE TEST_CASE_ID=y RESULT=pass", 9)), (Some(8), Some(9)));
    at("STARTTC z", 10);
    at("STARTRUN 1_b u", 11);
    // Not that of the other suite's case of the same name.
    assert_eq!(lines(&at("TESTCASE TEST_CASE_ID=z RESULT=pass", 12)), (Some(12), Some(12)));
}

/// Frames of `signals`, numbered from 1, without those of the numbers `lost`.
fn frames(signals: &[&str], lost: &[u64]) -> Vec<u8> {
    let numbered = (1..).zip(signals).filter(|(number, _)| !lost.contains(number));
    numbered.map(|(number, signal)| encode_frame(number, signal)).collect::<Vec<_>>().concat().into_bytes()
}

const WHOLE: [&str; 6] = [
    "CHANNEL 1",
    "STARTRUN 0_a u",
    "TESTCASE TEST_CASE_ID=x RESULT=pass",
    "TESTCASE TEST_CASE_ID=y RESULT=pass",
    "ENDRUN 0_a u",
    "TEST_RUNNER EXIT",
];

#[test]
fn a_lost_result_never_lets_the_run_or_the_job_pass() {
    let told = tell(&mut session(&["0_a"]), Origin::Channel, &frames(&WHOLE, &[3]));
    assert_eq!(
        told,
        [
            "complaint: signals 3 to 3 of the channel did not arrive",
            "0_a/y pass",
            "lava/0_a fail: signals of this test were lost on the way",
            "over: signal-lost: signals 3 to 3 of the channel did not arrive",
        ]
    );
    // Not even the run's own beginning.
    let told = tell(&mut session(&["0_a"]), Origin::Channel, &frames(&WHOLE, &[2]));
    assert_eq!(told.last().unwrap(), "over: signal-lost: signals 2 to 2 of the channel did not arrive");
}

#[test]
fn the_channel_says_when_the_tests_are_over() {
    let mut session = session(&["0_a"]);
    assert_eq!(tell(&mut session, Origin::Channel, &frames(&WHOLE[..5], &[])).len(), 3);
    assert_eq!(console(&mut session, &["TEST_RUNNER EXIT"]), ["await channel"]);
    let events = session.channel_silent(Moment::default());
    let [SessionEvent::Over(Some(failure))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(failure.message, "the channel fell silent before the guest said that its tests were over");
}

#[test]
fn a_channel_that_leads_elsewhere_is_noticed() {
    let mut session = session(&["0_a"]);
    let said = ["TEST_RUNNER CHANNEL /dev/ttyS1", "TEST_RUNNER EXIT"];
    assert_eq!(console(&mut session, &said), ["await channel"]);
    let events = session.channel_silent(Moment::default());
    let Some(SessionEvent::Over(Some(failure))) = events.last() else { panic!("{events:?}") };
    assert_eq!(
        failure.message,
        "the guest says that it writes its signals to the channel, and none arrived there"
    );
    assert!(failure.hint.is_some());
}

#[test]
fn requests_of_a_multi_node_job_are_cases() {
    let mut session = session(&["0_a"]);
    console(&mut session, &["STARTRUN 0_a u"]);
    let request = MultiNode::WaitAll { id: "ip".to_owned(), role: None };
    let asked = session.receive(Origin::Channel, Ok(Signal::MultiNode(request.clone())), Moment::default());
    assert_eq!(asked, [SessionEvent::MultiNode(request.clone())]);
    let events = session.multi_node_done(&request, false, Moment::default());
    let [SessionEvent::Result(outcome)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((outcome.case.as_str(), outcome.result.as_str()), ("multinode-wait_all-ip", "fail"));
}

#[test]
fn a_pattern_finds_cases_only_while_its_run_is_open() {
    let mut run = planned("0_a");
    let fixups = vec![("OK".to_owned(), "pass".to_owned())];
    run.pattern = Some(OutputPattern { pattern: "x".to_owned(), fixups });
    let mut session = TestSession::new(SessionPlan { stage: 0, runs: vec![run] });
    let found = |result: &str| PatternMatch {
        test_case_id: Some("x".to_owned()),
        result: Some(result.to_owned()),
        ..PatternMatch::default()
    };
    assert!(session.pattern_match(found("OK"), Moment::default()).is_empty());
    console(&mut session, &["STARTRUN 0_a u"]);
    let events = session.pattern_match(found("OK"), Moment::default());
    let [SessionEvent::Result(outcome)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((outcome.case.as_str(), outcome.result.as_str()), ("x", "pass"));
    let events = session.pattern_match(found("odd"), Moment::default());
    assert!(matches!(&events[..], [SessionEvent::Warning(_)]));
}

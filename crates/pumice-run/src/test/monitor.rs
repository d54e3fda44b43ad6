//! Looks for results in what a console says (lava-compat 1.7, monitors).

use pumice_console::{Console, Match, Patterns};
use pumice_job::Monitor;
use pumice_record::{LogLevel, ResultRecord};
use pumice_types::{Blame as _, CaseResult, Cause, Failure, Spanned};
use serde_json::json;

use crate::{boot::patterns, cx::StepCx};

/// Runs the monitors of a block, one after the other.
pub(crate) async fn run(monitors: &[Monitor], console: &mut Console, cx: &StepCx) -> Result<(), Failure> {
    for monitor in monitors {
        run_one(monitor, console, cx).await?;
    }
    Ok(())
}

async fn run_one(monitor: &Monitor, console: &mut Console, cx: &StepCx) -> Result<(), Failure> {
    let suite = suite_name(&monitor.name.value);
    let start = patterns([monitor.start.value.as_str()])?;
    let both = patterns([monitor.end.value.as_str(), monitor.pattern.value.as_str()])?;
    wait(console, &start, cx).await?;
    cx.report().info(format!("monitor {suite} begins"));
    let mut seen = Vec::new();
    loop {
        let found = wait(console, &both, cx).await?;
        if found.index() == 0 {
            break;
        }
        match read(monitor, &suite, &found) {
            Ok(record) => {
                seen.push(record.case.clone());
                cx.report().result(record);
            }
            Err(reason) => {
                let line = found.text();
                cx.report()
                    .log(LogLevel::Warning, format!("no result is taken from `{}`: {reason}", line.trim()));
            }
        }
    }
    report_missing(&suite, monitor.expected.as_deref(), &seen, cx);
    cx.report().info(format!("monitor {suite} ended with {} results", seen.len()));
    Ok(())
}

/// Waits; the time that is over is the tests'.
async fn wait(console: &mut Console, patterns: &Patterns, cx: &StepCx) -> Result<Match, Failure> {
    console.expect(patterns, cx.deadline()).await.map_err(|error| in_test(error.failure()))
}

/// A wait of a test that ends with its time is the test's failure, not that of a boot.
pub(super) fn in_test(mut failure: Failure) -> Failure {
    if failure.cause == Cause::NoPrompt {
        failure.cause = Cause::TestTimeout;
        failure.fault = Cause::TestTimeout.fault();
    }
    failure
}

/// Cases that were expected and not seen fail, as in a test definition (lava-compat 4.5).
pub(super) fn report_missing(
    suite: &str,
    expected: Option<&[Spanned<String>]>,
    seen: &[String],
    cx: &StepCx,
) {
    for case in expected.into_iter().flatten().filter(|case| !seen.contains(&case.value)) {
        let mut record = ResultRecord::new(suite, &case.value, CaseResult::Fail);
        record.extra = Some(json!({ "reason": "this case was expected and not reported" }));
        cx.report().result(record);
    }
}

/// A suite's name: lower case, whatever is no letter, digit, `.` or `_` a `-`.
fn suite_name(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    name.to_lowercase().chars().map(kept).collect()
}

/// A case's name: lower case, each run of characters that are in no word a `_`.
fn case_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_alphanumeric() || c == '_' {
            name.push(c);
        } else if !name.ends_with('\u{0}') {
            name.push('\u{0}');
        }
    }
    name.replace('\u{0}', "_")
}

/// Reads a match as a result; says why it is none.
fn read(monitor: &Monitor, suite: &str, found: &Match) -> Result<ResultRecord, String> {
    let group = |name: &str| found.named(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let case = group("test_case_id").ok_or("the pattern has no group `test_case_id` that took part")?;
    let case = case_name(case.trim());
    if case.is_empty() || case == "_" {
        return Err("its name is empty".to_owned());
    }
    let measurement = group("measurement");
    let result = match (group("result"), &measurement) {
        (Some(word), _) => {
            let fixup = monitor.fixups.iter().find(|fixup| fixup.name.value == word);
            let meant = fixup.map_or(word.as_str(), |fixup| fixup.value.value.as_str());
            CaseResult::from_word(meant)
                .ok_or_else(|| format!("`{word}` is no result; name what it means in `fixupdict`"))?
        }
        (None, Some(_)) => CaseResult::Pass,
        (None, None) => return Err("the pattern has neither `result` nor `measurement`".to_owned()),
    };
    let mut record = ResultRecord::new(suite, case, result);
    if let Some(text) = measurement {
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        record.measurement = Some(number.ok_or_else(|| format!("`{text}` is no number"))?);
        record.units = group("units");
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Conversation, spanned, variable};
    use super::*;

    fn monitor() -> Monitor {
        Monitor {
            name: spanned("LAVA Selftest"),
            start: spanned("BEGIN"),
            end: spanned("END OF TESTS"),
            pattern: spanned(
                r"(?P<test_case_id>[\w /]+): (?P<result>PASS|FAIL|ODD)(?: (?P<measurement>\S+) (?P<units>\w+))?\n",
            ),
            fixups: vec![variable("PASS", "pass"), variable("FAIL", "fail")],
            expected: None,
            span: pumice_types::Span::default(),
        }
    }

    async fn check(monitor: Monitor, said: &str, expected: &[&str]) {
        let mut conversation = Conversation::start();
        conversation.say(said).await;
        conversation.run(async |console, cx| run(&[monitor], console, cx).await).await.unwrap();
        assert_eq!(conversation.results(), expected);
    }

    #[tokio::test]
    async fn results_are_read_between_start_and_end() {
        check(
            monitor(),
            "early: PASS\nBEGIN\nFirst Test/a: PASS\nsecond: FAIL\nrate: PASS 1.5 MBps\nEND OF TESTS\nlate: PASS\n",
            &[
                "lava-selftest/first_test_a pass",
                "lava-selftest/second fail",
                "lava-selftest/rate pass 1.5 MBps",
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn a_word_without_a_meaning_is_no_result() {
        check(monitor(), "BEGIN\na: ODD\nb: PASS\nEND OF TESTS", &["lava-selftest/b pass"]).await;
    }

    #[tokio::test]
    async fn a_measurement_alone_passes() {
        let pattern = r"(?P<test_case_id>\w+)=(?P<measurement>[^\n]+)\n";
        let monitor = Monitor { pattern: spanned(pattern), ..monitor() };
        check(monitor, "BEGIN\nboot=3\nbad=x\nEND OF TESTS", &["lava-selftest/boot pass 3"]).await;
    }

    #[tokio::test]
    async fn a_case_that_was_expected_and_not_seen_fails() {
        let monitor = Monitor { expected: Some(vec![spanned("a"), spanned("b")]), ..monitor() };
        check(monitor, "BEGIN\na: PASS\nEND OF TESTS", &["lava-selftest/a pass", "lava-selftest/b fail"])
            .await;
    }

    #[tokio::test]
    async fn a_console_that_closes_before_the_end_fails() {
        let mut conversation = Conversation::start();
        conversation.say("BEGIN\na: PASS\n").await;
        conversation.hang_up();
        let failure = conversation.run(async |console, cx| run(&[monitor()], console, cx).await).await;
        assert_eq!(failure.unwrap_err().cause, Cause::ConsoleLost);
        assert_eq!(conversation.results(), ["lava-selftest/a pass"]);
    }
}

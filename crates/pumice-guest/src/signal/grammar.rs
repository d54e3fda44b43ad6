//! The text of a signal, without its brackets, to its value (lava-compat 4.3).

use pumice_types::CaseResult;

use super::{
    ChannelState, InstallFail, InstallReason, MultiNode, Problem, Run, RunExit, Signal, SignalError,
    TestCase, TestReference, TestSet,
};

/// Reads the text after `<LAVA_` up to `>`; `None` when it is none of ours, as the answers of MultiNode that the
/// console echoes.
pub(super) fn parse_console(text: &str) -> Option<Result<Signal, SignalError>> {
    if let Some(signal) = text.strip_prefix("SIGNAL_") {
        // A name alone is no signal: LAVA's pattern wants a blank and something behind it.
        signal.contains(char::is_whitespace).then(|| parse(signal))
    } else if text.starts_with("TEST_RUNNER ") {
        Some(parse(text))
    } else {
        None
    }
}

/// Reads `NAME ARGUMENTS`.
pub(super) fn parse(text: &str) -> Result<Signal, SignalError> {
    let text = text.trim();
    let (name, arguments) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    signal(name, arguments.trim())
        .map_err(|problem| SignalError::Malformed { text: text.chars().take(200).collect(), problem })
}

fn signal(name: &str, arguments: &str) -> Result<Signal, Problem> {
    let mut words = Words(arguments.split_whitespace());
    Ok(match name {
        "STARTRUN" => Signal::StartRun(run(words)?),
        "ENDRUN" => Signal::EndRun(run(words)?),
        "STARTTC" => Signal::StartTc(words.need("the test case")?),
        "ENDTC" => Signal::EndTc(words.need("the test case")?),
        "TESTCASE" => Signal::TestCase(test_case(words)?),
        "CASE" => Signal::TestCase(short_case(words)?),
        "TESTSET" => Signal::TestSet(match words.need("START or STOP")?.as_str() {
            "START" => TestSet::Start(words.need("the name of the test set")?),
            "STOP" => TestSet::Stop,
            other => return Err(Problem::Unknown(format!("TESTSET {other}"))),
        }),
        "TESTREFERENCE" => Signal::TestReference(TestReference {
            id: words.need("the test case")?,
            result: result(&words.need("the result")?)?,
            reference: words.need("the reference")?,
        }),
        "TESTFEEDBACK" => Signal::TestFeedback(words.need("the namespace")?),
        "TESTRAISE" => Signal::TestRaise(arguments.to_owned()),
        "TESTEVENT" => Signal::TestEvent(arguments.to_owned()),
        "RETRUNCODE" => {
            let status = words.need("the exit status")?;
            Signal::ReturnCode(status.parse().map_err(|_| Problem::Integer(status))?)
        }
        "TEST_RUNNER" => runner(words)?,
        "CHANNEL" => {
            let version = words.need("the version of the framing")?;
            Signal::Channel(ChannelState::Open(version.parse().map_err(|_| Problem::Integer(version))?))
        }
        "MULTI_NODE" => Signal::MultiNode(multi_node(words)?),
        other => return Err(Problem::Unknown(other.to_owned())),
    })
}

fn run(mut words: Words<'_>) -> Result<Run, Problem> {
    Ok(Run { name: words.need("the name of the test")?, uuid: words.need("the uuid of the test")? })
}

/// `TEST_CASE_ID=x RESULT=r [UNITS=u] [MEASUREMENT=m]`, in any order, the keys in any case.
fn test_case(words: Words<'_>) -> Result<TestCase, Problem> {
    let (mut id, mut outcome, mut measurement, mut units) = (None, None, None, None);
    for word in words.0 {
        let (key, value) = word.split_once('=').ok_or_else(|| Problem::NotAssignment(word.to_owned()))?;
        match key.to_ascii_lowercase().as_str() {
            "test_case_id" if !value.is_empty() => id = Some(value.to_owned()),
            "result" => outcome = Some(result(value)?),
            "measurement" => measurement = Some(number(value)?),
            "units" => units = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(TestCase {
        id: id.ok_or(Problem::Missing("TEST_CASE_ID"))?,
        result: outcome.ok_or(Problem::Missing("RESULT"))?,
        measurement,
        units,
    })
}

/// `CASE id result [measurement|- [units]]`, the short form of a channel.
fn short_case(mut words: Words<'_>) -> Result<TestCase, Problem> {
    Ok(TestCase {
        id: words.need("the test case")?,
        result: result(&words.need("the result")?)?,
        measurement: words.0.next().filter(|word| *word != "-").map(number).transpose()?,
        units: words.0.next().map(str::to_owned),
    })
}

/// A result in lower or in upper case; nothing between (lava-compat 4.3, the fixup).
fn result(word: &str) -> Result<CaseResult, Problem> {
    let lower = word.to_ascii_lowercase();
    let upper = word.bytes().all(|byte| byte.is_ascii_uppercase());
    CaseResult::from_word(if upper { &lower } else { word }).ok_or_else(|| Problem::Result(word.to_owned()))
}

/// A finite number. LAVA takes `nan` and `inf` too and cannot store them.
fn number(text: &str) -> Result<f64, Problem> {
    text.parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .ok_or_else(|| Problem::Measurement(text.to_owned()))
}

fn runner(mut words: Words<'_>) -> Result<Signal, Problem> {
    Ok(match words.need("what the runner says")?.as_str() {
        "EXIT" => Signal::RunnerExit,
        "INSTALL_FAIL" => {
            let name = words.0.next().map(str::to_owned);
            let word = words.0.next().unwrap_or_default();
            let known = [InstallReason::Network, InstallReason::Package, InstallReason::Unsupported];
            let reason =
                known.into_iter().find(|reason| reason.as_str() == word).unwrap_or(InstallReason::Step);
            Signal::InstallFail(InstallFail { name, reason })
        }
        "RUN_EXIT" => {
            let name = words.need("the name of the test")?;
            let status = words.need("the exit status")?;
            Signal::RunExit(RunExit { name, status: status.parse().map_err(|_| Problem::Integer(status))? })
        }
        "CHANNEL" => Signal::Channel(ChannelState::Announced(words.need("the device")?)),
        "CHANNEL_LOST" => Signal::Channel(ChannelState::Lost),
        other => return Err(Problem::Unknown(format!("TEST_RUNNER {other}"))),
    })
}

/// `LAVA_SEND id k=v ...`, `LAVA_WAIT id`, `LAVA_WAIT_ALL id [role]`, `LAVA_SYNC id`.
fn multi_node(mut words: Words<'_>) -> Result<MultiNode, Problem> {
    let verb = words.need("the request")?;
    let id = words.need("the message's id")?;
    Ok(match verb.as_str() {
        "LAVA_SEND" => {
            let mut values: Vec<(String, String)> = Vec::new();
            for word in words.0 {
                match (word.split_once('='), values.last_mut()) {
                    (Some((key, value)), _) => values.push((key.to_owned(), value.to_owned())),
                    // A value of several words: the quotes that the shell took away are not seen here.
                    (None, Some((_, value))) => value.extend([" ", word]),
                    (None, None) => return Err(Problem::NotAssignment(word.to_owned())),
                }
            }
            MultiNode::Send { id, values }
        }
        "LAVA_WAIT" => MultiNode::Wait { id },
        "LAVA_WAIT_ALL" => MultiNode::WaitAll { id, role: words.0.next().map(str::to_owned) },
        "LAVA_SYNC" => MultiNode::Sync { id },
        other => return Err(Problem::Unknown(other.to_owned())),
    })
}

/// The words of the arguments that are still to be read.
struct Words<'a>(std::str::SplitWhitespace<'a>);

impl Words<'_> {
    fn need(&mut self, what: &'static str) -> Result<String, Problem> {
        self.0.next().map(str::to_owned).ok_or(Problem::Missing(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Signal) {
        assert_eq!(parse(text).as_ref(), Ok(expected), "{text}");
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }

    fn case(id: &str, result: CaseResult) -> TestCase {
        TestCase { id: id.to_owned(), result, measurement: None, units: None }
    }

    #[test]
    fn a_case_takes_its_words_in_any_order_and_case() {
        check("TESTCASE TEST_CASE_ID=t1 RESULT=pass", &Signal::TestCase(case("t1", CaseResult::Pass)));
        check("TESTCASE result=FAIL test_case_id=a=b", &Signal::TestCase(case("a=b", CaseResult::Fail)));
        check(
            "TESTCASE TEST_CASE_ID=m RESULT=pass UNITS=ms MEASUREMENT=3.25",
            &Signal::TestCase(TestCase {
                measurement: Some(3.25),
                units: Some("ms".to_owned()),
                ..case("m", CaseResult::Pass)
            }),
        );
    }

    #[test]
    fn a_case_on_a_channel_is_short() {
        let measured = |measurement, units: Option<&str>| {
            let units = units.map(str::to_owned);
            Signal::TestCase(TestCase { measurement, units, ..case("x=y", CaseResult::Skip) })
        };
        check("CASE x=y skip", &measured(None, None));
        check("CASE x=y skip 2.5", &measured(Some(2.5), None));
        check("CASE x=y skip - ms", &measured(None, Some("ms")));
        check("CASE x=y skip -2 ms", &measured(Some(-2.0), Some("ms")));
        refused("CASE a", "the guest sent `CASE a`, which is not a signal: the result is missing");
    }

    #[test]
    fn a_case_that_nobody_can_record_is_refused_with_its_reason() {
        let whole = "the guest sent `TESTCASE TEST_CASE_ID=a RESULT=maybe`, which is not a signal: \
                     the result `maybe` is not one of pass, fail, skip, unknown";
        refused("TESTCASE TEST_CASE_ID=a RESULT=maybe", whole);
        for (text, problem) in [
            ("TESTCASE TEST_CASE_ID=a b RESULT=pass", "`b` is not NAME=VALUE"),
            ("TESTCASE RESULT=pass", "TEST_CASE_ID is missing"),
            ("TESTCASE TEST_CASE_ID=a", "RESULT is missing"),
            (
                "TESTCASE TEST_CASE_ID=a RESULT=Pass",
                "the result `Pass` is not one of pass, fail, skip, unknown",
            ),
            ("TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=x", "the measurement `x` is not a number"),
            ("TESTCASE TEST_CASE_ID=a RESULT=pass MEASUREMENT=nan", "the measurement `nan` is not a number"),
            ("STARTRUN 0_a", "the uuid of the test is missing"),
            ("TESTSET START", "the name of the test set is missing"),
            ("RETRUNCODE $?", "`$?` is not an integer"),
            ("NONSENSE a", "no signal is called `NONSENSE`"),
        ] {
            refused(text, &format!("the guest sent `{text}`, which is not a signal: {problem}"));
        }
    }

    #[test]
    fn every_other_signal_is_read() {
        let run = || Run { name: "0_a".to_owned(), uuid: "1_1.1".to_owned() };
        check("STARTRUN 0_a 1_1.1", &Signal::StartRun(run()));
        check("ENDRUN 0_a 1_1.1", &Signal::EndRun(run()));
        check("STARTTC a", &Signal::StartTc("a".to_owned()));
        check("TESTSET START s", &Signal::TestSet(TestSet::Start("s".to_owned())));
        check("TESTSET STOP", &Signal::TestSet(TestSet::Stop));
        check("TESTRAISE no disk  at all", &Signal::TestRaise("no disk  at all".to_owned()));
        check("RETRUNCODE 127", &Signal::ReturnCode(127));
        check("TEST_RUNNER EXIT", &Signal::RunnerExit);
        let failed = |name: Option<&str>, reason| {
            Signal::InstallFail(InstallFail { name: name.map(str::to_owned), reason })
        };
        check("TEST_RUNNER INSTALL_FAIL", &failed(None, InstallReason::Step));
        check("TEST_RUNNER INSTALL_FAIL 0_a network", &failed(Some("0_a"), InstallReason::Network));
        check("CHANNEL 1", &Signal::Channel(ChannelState::Open(1)));
        let send = MultiNode::Send { id: "ip".to_owned(), values: vec![("a".to_owned(), "b=c".to_owned())] };
        check("MULTI_NODE LAVA_SEND ip a=b=c", &Signal::MultiNode(send));
        let values = vec![("name".to_owned(), "two words".to_owned()), ("x".to_owned(), "1".to_owned())];
        let send = MultiNode::Send { id: "ip".to_owned(), values };
        check("MULTI_NODE LAVA_SEND ip name=two words x=1", &Signal::MultiNode(send));
        let all = MultiNode::WaitAll { id: "ip".to_owned(), role: Some("server".to_owned()) };
        check("MULTI_NODE LAVA_WAIT_ALL ip server", &Signal::MultiNode(all));
    }
}

//! A signal as LAVA prints it on a console: what the log shows also of those that came over a channel.

use std::fmt;

use super::{ChannelState, InstallReason, MultiNode, Signal, TestSet};

/// LAVA's form, with its brackets. Tools look for it in the log (clients.md 1).
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartRun(run) => write!(f, "<LAVA_SIGNAL_STARTRUN {} {}>", run.name, run.uuid),
            Self::EndRun(run) => write!(f, "<LAVA_SIGNAL_ENDRUN {} {}>", run.name, run.uuid),
            Self::StartTc(case) => write!(f, "<LAVA_SIGNAL_STARTTC {case}>"),
            Self::EndTc(case) => write!(f, "<LAVA_SIGNAL_ENDTC {case}>"),
            Self::TestCase(case) => {
                write!(f, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={} RESULT={}", case.id, case.result)?;
                if let Some(units) = &case.units {
                    write!(f, " UNITS={units}")?;
                }
                if let Some(measurement) = case.measurement {
                    write!(f, " MEASUREMENT={measurement}")?;
                }
                f.write_str(">")
            }
            Self::TestSet(TestSet::Start(name)) => write!(f, "<LAVA_SIGNAL_TESTSET START {name}>"),
            Self::TestSet(TestSet::Stop) => f.write_str("<LAVA_SIGNAL_TESTSET STOP>"),
            Self::TestReference(found) => {
                write!(f, "<LAVA_SIGNAL_TESTREFERENCE {} {} {}>", found.id, found.result, found.reference)
            }
            Self::TestFeedback(namespace) => write!(f, "<LAVA_SIGNAL_TESTFEEDBACK {namespace}>"),
            Self::TestRaise(message) => write!(f, "<LAVA_SIGNAL_TESTRAISE {message}>"),
            Self::TestEvent(message) => write!(f, "<LAVA_SIGNAL_TESTEVENT {message}>"),
            Self::ReturnCode(status) => write!(f, "<LAVA_SIGNAL_RETRUNCODE {status}>"),
            Self::InstallFail(failed) => {
                f.write_str("<LAVA_TEST_RUNNER INSTALL_FAIL")?;
                if let Some(name) = &failed.name {
                    write!(f, " {name} {}", failed.reason.as_str())?;
                }
                f.write_str(">")
            }
            Self::RunExit(exit) => write!(f, "<LAVA_TEST_RUNNER RUN_EXIT {} {}>", exit.name, exit.status),
            Self::RunnerExit => f.write_str("<LAVA_TEST_RUNNER EXIT>"),
            Self::Channel(ChannelState::Open(version)) => write!(f, "<LAVA_SIGNAL_CHANNEL {version}>"),
            Self::Channel(ChannelState::Announced(device)) => {
                write!(f, "<LAVA_TEST_RUNNER CHANNEL {device}>")
            }
            Self::Channel(ChannelState::Lost) => f.write_str("<LAVA_TEST_RUNNER CHANNEL_LOST>"),
            Self::MultiNode(request) => write!(f, "<LAVA_MULTI_NODE> <{request}>"),
        }
    }
}

impl fmt::Display for MultiNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { id, values } => {
                write!(f, "LAVA_SEND {id}")?;
                values.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::Wait { id } => write!(f, "LAVA_WAIT {id}"),
            Self::WaitAll { id, role: None } => write!(f, "LAVA_WAIT_ALL {id}"),
            Self::WaitAll { id, role: Some(role) } => write!(f, "LAVA_WAIT_ALL {id} {role}"),
            Self::Sync { id } => write!(f, "LAVA_SYNC {id}"),
        }
    }
}

impl InstallReason {
    /// The word of the signal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Package => "package",
            Self::Unsupported => "unsupported",
            Self::Step => "step",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::SignalReader;

    #[test]
    fn what_is_shown_is_read_back() {
        for text in [
            "<LAVA_SIGNAL_STARTRUN 0_a u>",
            "<LAVA_SIGNAL_ENDRUN 0_a u>",
            "<LAVA_SIGNAL_STARTTC a>",
            "<LAVA_SIGNAL_ENDTC a>",
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=unknown>",
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass UNITS=ms MEASUREMENT=0.25>",
            "<LAVA_SIGNAL_TESTSET START s>",
            "<LAVA_SIGNAL_TESTSET STOP>",
            "<LAVA_SIGNAL_TESTREFERENCE a skip http://h/>",
            "<LAVA_SIGNAL_TESTFEEDBACK ns>",
            "<LAVA_SIGNAL_TESTRAISE several words>",
            "<LAVA_SIGNAL_TESTEVENT several words>",
            "<LAVA_SIGNAL_RETRUNCODE -1>",
            "<LAVA_SIGNAL_CHANNEL 1>",
            "<LAVA_TEST_RUNNER INSTALL_FAIL>",
            "<LAVA_TEST_RUNNER INSTALL_FAIL 0_a unsupported>",
            "<LAVA_TEST_RUNNER RUN_EXIT 0_a 2>",
            "<LAVA_TEST_RUNNER EXIT>",
            "<LAVA_TEST_RUNNER CHANNEL /dev/x>",
            "<LAVA_TEST_RUNNER CHANNEL_LOST>",
            "<LAVA_MULTI_NODE> <LAVA_SEND a b=c d=e>",
            "<LAVA_MULTI_NODE> <LAVA_WAIT a>",
            "<LAVA_MULTI_NODE> <LAVA_WAIT_ALL a>",
            "<LAVA_MULTI_NODE> <LAVA_WAIT_ALL a role>",
            "<LAVA_MULTI_NODE> <LAVA_SYNC a>",
        ] {
            let mut found = Vec::new();
            SignalReader::console().push(text.as_bytes(), &mut found);
            let shown: Vec<_> =
                found.into_iter().map(|received| received.signal.unwrap().to_string()).collect();
            assert_eq!(shown, [text]);
        }
    }
}

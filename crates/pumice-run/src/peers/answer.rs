//! Answers of the group, as a guest and as a person reads them.

use std::fmt::Write as _;

use pumice_guest::signal::MultiNode;
use pumice_multinode::{Answer, Refusal, Request};
use pumice_types::{Cause, Failure, Fault};

/// A guest's request, as the group takes it.
pub(crate) fn asked(wanted: &MultiNode) -> Request {
    match wanted.clone() {
        MultiNode::Send { id, values } => Request::Send { id, values: values.into_iter().collect() },
        MultiNode::Wait { id } => Request::Wait { id },
        MultiNode::WaitAll { id, role } => Request::WaitAll { id, role },
        MultiNode::Sync { id } => Request::Sync { id },
    }
}

/// The line that answers a guest (lava-compat 5.3): `<LAVA_WAIT_COMPLETE 12:key=value 13:key=value>`. `None` where
/// the guest waits for none.
pub(crate) fn as_typed(request: &MultiNode, answer: Option<&Answer>) -> Option<String> {
    let word = match request {
        MultiNode::Send { .. } => return None,
        MultiNode::Wait { .. } => "LAVA_WAIT",
        MultiNode::WaitAll { .. } => "LAVA_WAIT_ALL",
        MultiNode::Sync { .. } => "LAVA_SYNC",
    };
    let mut line = format!("<{word}_COMPLETE");
    match answer {
        Some(Answer::Done) => {}
        Some(Answer::Message { messages }) => {
            for (node, values) in messages {
                for (key, value) in values {
                    // Neither may end the line or the brackets.
                    let plain = |text: &str| text.replace(|c: char| c.is_control() || c == '>', ")");
                    let _ = write!(line, " {node}:{}={}", plain(key), plain(value));
                }
            }
        }
        Some(Answer::Refused { .. }) | None => line.push_str(" nack"),
    }
    line.push('>');
    Some(line)
}

/// The failure that a refusal is: a node that failed takes those with it that wait for it.
pub(crate) fn failure_of(request: &Request, refusal: &Refusal) -> Failure {
    let message = format!("`{request}` can never end: {refusal}");
    match refusal {
        Refusal::Ended { .. } => Failure::new(Cause::PeerFailed, message).hint("look at that node's own log"),
        Refusal::UnknownRole { .. } => Failure::new(Cause::InvalidDefinition, message),
        Refusal::Full => Failure::new(Cause::PeerFailed, message).blame(Fault::Test),
        Refusal::Stranger { .. } => Failure::new(Cause::Bug, message),
    }
}

#[cfg(test)]
mod tests {
    use pumice_multinode::Values;

    use super::*;

    #[track_caller]
    fn check(request: &MultiNode, answer: Option<&Answer>, expected: Option<&str>) {
        assert_eq!(as_typed(request, answer).as_deref(), expected);
    }

    #[test]
    fn an_answer_is_one_line_whatever_a_message_holds() {
        let id = || "x".to_owned();
        let values = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let message = Answer::Message {
            messages: [
                ("12".to_owned(), values(&[("ip", "10.0.0.1"), ("said", "a>b\nc d")])),
                ("13".to_owned(), values(&[])),
            ]
            .into(),
        };
        let wait = MultiNode::Wait { id: id() };
        check(&wait, Some(&message), Some("<LAVA_WAIT_COMPLETE 12:ip=10.0.0.1 12:said=a)b)c d>"));
        check(&wait, None, Some("<LAVA_WAIT_COMPLETE nack>"));
        check(&MultiNode::Sync { id: id() }, Some(&Answer::Done), Some("<LAVA_SYNC_COMPLETE>"));
        check(&MultiNode::WaitAll { id: id(), role: None }, None, Some("<LAVA_WAIT_ALL_COMPLETE nack>"));
        check(&MultiNode::Send { id: id(), values: Vec::new() }, Some(&Answer::Done), None);
    }
}

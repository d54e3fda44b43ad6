//! The words between a node and whoever runs its group: version 1, one JSON object a line (docs/protocol/multinode.md).

use pumice_types::Failure;
use serde::{Deserialize, Serialize};

use crate::{Answer, Member, Request};

/// The version of these words.
pub const VERSION: u32 = 1;

/// The most bytes of a line, its end included.
pub const LINE_LIMIT_BYTES: usize = 1 << 20;

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum FromNode {
    /// The first word: who it is.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// The node's id.
        node: String,
    },
    /// A request.
    Ask {
        /// Names it in the answer; the node never uses a number twice.
        number: u64,
        /// The request.
        request: Request,
    },
    /// It does not wait any longer.
    GiveUp {
        /// Which request.
        number: u64,
    },
    /// It will ask nothing more: its tests are over, or it failed.
    Leave {
        /// Why it failed; `None` when all went well.
        failure: Option<Failure>,
    },
}

/// What a node hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "say")]
pub enum ToNode {
    /// The answer to its hello.
    Welcome {
        /// Every node of the group.
        members: Vec<Member>,
    },
    /// The answer to a request.
    Answer {
        /// Which request.
        number: u64,
        /// The answer.
        answer: Answer,
    },
    /// It is to end now.
    End {
        /// Why.
        failure: Failure,
    },
}

/// A line of the wire, its end included.
///
/// # Errors
/// None in practice: every word can be written as JSON.
pub fn line(word: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use pumice_types::Cause;

    use super::*;
    use crate::{Refusal, Values};

    #[track_caller]
    fn check<T>(word: &T, text: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        let line = String::from_utf8(line(word).unwrap()).unwrap();
        assert_eq!(line.trim_end(), text);
        assert_eq!(&serde_json::from_str::<T>(text).unwrap(), word);
    }

    #[test]
    fn the_words_are_version_1() {
        check(
            &FromNode::Hello { version: VERSION, node: "12".to_owned() },
            r#"{"say":"hello","version":1,"node":"12"}"#,
        );
        let values = Values::from([("ip".to_owned(), "10.0.0.1".to_owned())]);
        check(
            &FromNode::Ask {
                number: 3,
                request: Request::Send { id: "up".to_owned(), values: values.clone() },
            },
            r#"{"say":"ask","number":3,"request":{"request":"send","id":"up","values":{"ip":"10.0.0.1"}}}"#,
        );
        check(&FromNode::GiveUp { number: 3 }, r#"{"say":"give-up","number":3}"#);
        check(&FromNode::Leave { failure: None }, r#"{"say":"leave","failure":null}"#);
        check(
            &ToNode::Answer {
                number: 3,
                answer: Answer::Message { messages: [("12".to_owned(), values)].into() },
            },
            r#"{"say":"answer","number":3,"answer":{"answer":"message","messages":{"12":{"ip":"10.0.0.1"}}}}"#,
        );
        let refusal = Refusal::UnknownRole { role: "x".to_owned(), known: vec!["y".to_owned()] };
        check(
            &ToNode::Answer { number: 4, answer: Answer::Refused { refusal } },
            r#"{"say":"answer","number":4,"answer":{"answer":"refused","refusal":{"refusal":"unknown-role","role":"x","known":["y"]}}}"#,
        );
        let end = ToNode::End { failure: Failure::new(Cause::PeerFailed, "gone") };
        let text = String::from_utf8(line(&end).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<ToNode>(&text).unwrap(), end);
    }
}

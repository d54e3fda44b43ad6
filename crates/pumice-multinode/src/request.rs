//! Requests of a node, and their answers.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The data of a message.
pub type Values = BTreeMap<String, String>;

/// The data of a message, by the id of the node that sent it.
pub type Messages = BTreeMap<String, Values>;

/// What a node asks of the others (lava-compat 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum Request {
    /// Keeps a message for every node, this one too. Answered at once.
    Send {
        /// The message's id.
        id: String,
        /// Its data. Sent again, it replaces what this node said before.
        values: Values,
    },
    /// Waits for a message from any node. One that was sent before counts.
    Wait {
        /// The message's id.
        id: String,
    },
    /// Waits for a message from every other node, or from every other one of a role.
    WaitAll {
        /// The message's id.
        id: String,
        /// The role.
        role: Option<String>,
    },
    /// Waits until every node asks the same. The id may be used again for the next meeting.
    Sync {
        /// The meeting's name.
        id: String,
    },
}

impl Request {
    /// The message's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Send { id, .. } | Self::Wait { id } | Self::WaitAll { id, .. } | Self::Sync { id } => id,
        }
    }
}

/// As a test writes it: `lava-wait-all ready server`.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { id, values } => {
                write!(f, "lava-send {id}")?;
                values.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::Wait { id } => write!(f, "lava-wait {id}"),
            Self::WaitAll { id, role: None } => write!(f, "lava-wait-all {id}"),
            Self::WaitAll { id, role: Some(role) } => write!(f, "lava-wait-all {id} {role}"),
            Self::Sync { id } => write!(f, "lava-sync {id}"),
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    /// A message was kept, or everybody is here.
    Done,
    /// What was waited for.
    Message {
        /// The data, by node.
        messages: Messages,
    },
    /// It will never be.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// Why a request can never be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "refusal")]
pub enum Refusal {
    /// A node that it waits for has ended.
    #[error("node {node} ({role}) has ended: {why}")]
    Ended {
        /// The node's name.
        node: String,
        /// Its role.
        role: String,
        /// Whether it failed.
        failed: bool,
        /// How it ended, in a sentence.
        why: String,
    },
    /// No node has that role.
    #[error("no node of this job has the role `{role}`; there is: {}", known.join(", "))]
    UnknownRole {
        /// The role.
        role: String,
        /// The roles there are.
        known: Vec<String>,
    },
    /// The group keeps no more messages.
    #[error("this job's nodes have sent too many messages")]
    Full,
    /// Whoever asks is no node of this group.
    #[error("`{node}` is no node of this job")]
    Stranger {
        /// Its id.
        node: String,
    },
}

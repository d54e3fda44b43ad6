//! A group whose nodes are elsewhere: their words come and go as streams of lines that may be cut anywhere, sent again,
//! and taken up by another program.
//!
//! ```text
//!  node 12 ──▶ bytes 0..n, in pieces ──▶ ┌──────────┐ ──▶ entries, to be kept before anybody is told
//!  node 12 ◀── bytes from m on ───────── │ Exchange │
//!  node 13 ⋯                             └──────────┘ ◀── entries, when the program was started again
//! ```
//!
//! A stream is named by how many bytes of it have come, as a job's log is (docs/protocol/worker.md section 9). So a piece that
//! is sent twice does nothing the second time, and a piece that was lost is a gap that is refused.

use std::collections::BTreeMap;

use pumice_types::{Cause, Failure};

use crate::{
    Delivery, Ending, Group, Member, Ticket,
    wire::{self, FromNode, LINE_LIMIT_BYTES, ToNode, VERSION},
};

/// The most bytes that one node may say.
const MOST_HEARD_BYTES: u64 = 64 << 20;

/// Something that happened in a group. All of them, in order, are the group: see [`Exchange::restore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A node said this line, its end included.
    Heard {
        /// The node's id.
        node: String,
        /// The line: a [`FromNode`].
        line: String,
    },
    /// A node ended, whether it said so or not.
    Gone {
        /// The node's id.
        node: String,
        /// Why it failed; `None` when its job is complete.
        failure: Option<Failure>,
    },
    /// A node is told this line, its end included.
    Said {
        /// The node's id.
        node: String,
        /// The line: a [`ToNode`].
        line: String,
    },
}

/// Why bytes of a node are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HearError {
    /// It is no node of this group.
    #[error("`{node}` is no node of this group")]
    Stranger {
        /// The id.
        node: String,
    },
    /// Bytes before these have not come.
    #[error("{have} bytes of node {node} have come, and these begin later")]
    Gap {
        /// The node's id.
        node: String,
        /// How many have come.
        have: u64,
    },
    /// A line is none of the words of a node.
    #[error("a line of node {node} cannot be understood: {reason}")]
    Unreadable {
        /// The node's id.
        node: String,
        /// Why not.
        reason: String,
    },
    /// It has said enough.
    #[error("node {node} has said more than {} MiB", MOST_HEARD_BYTES >> 20)]
    TooMuch {
        /// The node's id.
        node: String,
    },
}

/// What bytes of a node led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// The node left in these bytes, because of this.
    pub failed: Option<Failure>,
}

/// A group and the streams of its nodes.
#[derive(Clone, Debug)]
pub struct Exchange {
    group: Group,
    /// By the id of the node.
    streams: BTreeMap<String, Streams>,
}

/// The two streams of one node.
#[derive(Clone, Debug, Default)]
struct Streams {
    /// How many bytes it has said.
    heard: u64,
    /// What it was told.
    said: Vec<u8>,
}

impl Exchange {
    /// A group of these nodes, none of which has said anything.
    pub fn new(members: Vec<Member>) -> Self {
        let streams = members.iter().map(|member| (member.id.clone(), Streams::default())).collect();
        Self { group: Group::new(members), streams }
    }

    /// The group to which all this has happened.
    pub fn restore(members: Vec<Member>, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut exchange = Self::new(members);
        for entry in entries {
            match entry {
                // What came of it stands in the entries that follow.
                Entry::Heard { node, line } => {
                    if let Ok(word) = serde_json::from_str(&line) {
                        drop(exchange.take(&node, word));
                    }
                    if let Some(streams) = exchange.streams.get_mut(&node) {
                        streams.heard += line.len() as u64;
                    }
                }
                Entry::Gone { node, failure } => drop(exchange.leave(&node, failure.as_ref())),
                Entry::Said { node, line } => exchange.keep_said(&node, &line),
            }
        }
        exchange
    }

    /// Its nodes.
    pub fn members(&self) -> &[Member] {
        self.group.members()
    }

    /// How a node ended; `None` while it runs.
    pub fn ending(&self, node: &str) -> Option<&Ending> {
        self.group.ending(node)
    }

    /// How many bytes of a node have come: the next piece begins there.
    pub fn heard_bytes(&self, node: &str) -> u64 {
        self.streams.get(node).map_or(0, |streams| streams.heard)
    }

    /// A node says `bytes`, the first of which is number `offset` of its stream. Whole lines are taken; what follows the last
    /// one is to come again. Changes nothing when it fails.
    ///
    /// # Errors
    /// It is no node of the group, bytes are missing before these, or they mean nothing.
    pub fn hear(&mut self, node: &str, offset: u64, bytes: &[u8]) -> Result<Heard, HearError> {
        let name = || node.to_owned();
        let streams = self.streams.get(node).ok_or_else(|| HearError::Stranger { node: name() })?;
        let have = streams.heard;
        let known = have.checked_sub(offset).ok_or_else(|| HearError::Gap { node: name(), have })?;
        let fresh = usize::try_from(known).ok().and_then(|known| bytes.get(known..)).unwrap_or_default();
        let whole = fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if fresh.len() - whole > LINE_LIMIT_BYTES || have + whole as u64 > MOST_HEARD_BYTES {
            return Err(HearError::TooMuch { node: name() });
        }
        let unreadable = |reason: String| HearError::Unreadable { node: name(), reason };
        let text = std::str::from_utf8(&fresh[..whole]).map_err(|error| unreadable(error.to_string()))?;
        let words: Vec<(&str, FromNode)> = text
            .split_inclusive('\n')
            .map(|line| Ok((line, serde_json::from_str(line)?)))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| unreadable(error.to_string()))?;
        let mut heard = Heard::default();
        for (line, word) in words {
            if let FromNode::Leave { failure } = &word
                && self.group.ending(node).is_none()
            {
                heard.failed.clone_from(failure);
            }
            heard.entries.push(Entry::Heard { node: name(), line: line.to_owned() });
            let due = self.take(node, word);
            heard.entries.extend(self.say(due));
        }
        if let Some(streams) = self.streams.get_mut(node) {
            streams.heard += whole as u64;
        }
        Ok(heard)
    }

    /// A node's job is over. Nothing happens when the node has said so before.
    pub fn gone(&mut self, node: &str, failure: Option<Failure>) -> Vec<Entry> {
        if self.group.ending(node).is_some() || !self.streams.contains_key(node) {
            return Vec::new();
        }
        let due = self.leave(node, failure.as_ref());
        let mut entries = vec![Entry::Gone { node: node.to_owned(), failure }];
        entries.extend(self.say(due));
        entries
    }

    /// What a node was told, from byte `offset` on; nothing when it asks for more than there is.
    pub fn said(&self, node: &str, offset: u64) -> &[u8] {
        let said = self.streams.get(node).map_or([].as_slice(), |streams| &streams.said);
        usize::try_from(offset).ok().and_then(|offset| said.get(offset..)).unwrap_or_default()
    }

    /// The words that follow from a word of a node.
    fn take(&mut self, node: &str, word: FromNode) -> Vec<(String, ToNode)> {
        let own = |word: ToNode| vec![(node.to_owned(), word)];
        match word {
            FromNode::Hello { version: VERSION, node: named } if named == node => {
                own(ToNode::Welcome { members: self.group.members().to_vec() })
            }
            FromNode::Hello { version, node: named } => {
                let message = format!(
                    "node {named} speaks version {version} of the words of a group; this is node {node}, and version \
                     {VERSION} is spoken here"
                );
                own(ToNode::End { failure: Failure::new(Cause::PeerFailed, message) })
            }
            FromNode::Ask { number, request } => {
                let ticket = Ticket { node: node.to_owned(), number };
                words(self.group.ask(ticket, request))
            }
            FromNode::GiveUp { number } => {
                self.group.give_up(&Ticket { node: node.to_owned(), number });
                Vec::new()
            }
            FromNode::Leave { failure } => self.leave(node, failure.as_ref()),
        }
    }

    fn leave(&mut self, node: &str, failure: Option<&Failure>) -> Vec<(String, ToNode)> {
        let ending = failure.map_or(Ending::Complete, |failure| Ending::Failed(failure.message.clone()));
        words(self.group.leave(node, ending))
    }

    fn say(&mut self, due: Vec<(String, ToNode)>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(due.len());
        for (node, word) in due {
            // Every word can be written as JSON.
            let Ok(line) = wire::line(&word) else { continue };
            let line = String::from_utf8_lossy(&line).into_owned();
            self.keep_said(&node, &line);
            entries.push(Entry::Said { node, line });
        }
        entries
    }

    fn keep_said(&mut self, node: &str, line: &str) {
        if let Some(streams) = self.streams.get_mut(node) {
            streams.said.extend_from_slice(line.as_bytes());
        }
    }
}

/// Answers as words, each for its node.
fn words(due: Vec<Delivery>) -> Vec<(String, ToNode)> {
    let word = |Delivery { ticket, answer }: Delivery| {
        (ticket.node, ToNode::Answer { number: ticket.number, answer })
    };
    due.into_iter().map(word).collect()
}

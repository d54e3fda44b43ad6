//! Who said what, and who waits for what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Answer, Messages, Refusal, Request};

/// The most messages that a group keeps, all ids and nodes together.
const MOST_MESSAGES: usize = 100_000;

/// One node of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The number of its job: what `lava-self` prints, unique in the group.
    pub id: String,
    /// Its name for people: its role, with a number where several play it.
    pub name: String,
    /// Its role.
    pub role: String,
}

/// One request of one node. A node that asks under a ticket again asks the same again: its first answer was lost on
/// the way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The node's id.
    pub node: String,
    /// Its own number for the request.
    pub number: u64,
}

/// An answer that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it answers.
    pub ticket: Ticket,
    /// The answer.
    pub answer: Answer,
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its job came to its end.
    Complete,
    /// Its job failed, for this reason.
    Failed(String),
}

/// The nodes of a MultiNode job, what they have said, and who waits.
#[derive(Clone, Debug)]
pub struct Group {
    members: Vec<Member>,
    /// By the id of the node.
    ended: BTreeMap<String, Ending>,
    /// By the id of the message. Kept until the group ends: a message may be sent before anybody waits for it.
    said: BTreeMap<String, Messages>,
    waiting: BTreeMap<Ticket, Request>,
    /// Meetings that took place: asked again, they are not a new one.
    met: BTreeSet<Ticket>,
}

impl Group {
    /// A group of these nodes, none of which has said anything.
    pub fn new(members: Vec<Member>) -> Self {
        Self {
            members,
            ended: BTreeMap::new(),
            said: BTreeMap::new(),
            waiting: BTreeMap::new(),
            met: BTreeSet::new(),
        }
    }

    /// Its nodes.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The requests that wait, in the order of their nodes.
    pub fn waiting(&self) -> impl Iterator<Item = (&Ticket, &Request)> {
        self.waiting.iter()
    }

    /// A node asks. Gives every answer that is due now: perhaps its own, perhaps those of others.
    pub fn ask(&mut self, ticket: Ticket, request: Request) -> Vec<Delivery> {
        if self.member(&ticket.node).is_none() {
            let refusal = Refusal::Stranger { node: ticket.node.clone() };
            return vec![Delivery { ticket, answer: Answer::Refused { refusal } }];
        }
        if self.met.contains(&ticket) {
            return vec![Delivery { ticket, answer: Answer::Done }];
        }
        let Request::Send { id, values } = request else {
            self.waiting.insert(ticket, request);
            return self.settle();
        };
        if self.said.values().map(BTreeMap::len).sum::<usize>() >= MOST_MESSAGES {
            return vec![Delivery { ticket, answer: Answer::Refused { refusal: Refusal::Full } }];
        }
        self.said.entry(id).or_default().insert(ticket.node.clone(), values);
        let mut due = vec![Delivery { ticket, answer: Answer::Done }];
        due.extend(self.settle());
        due
    }

    /// A node does not wait for this any longer; it has not met anybody.
    pub fn give_up(&mut self, ticket: &Ticket) {
        self.waiting.remove(ticket);
    }

    /// A node has ended; what it asked is forgotten, what it said is kept. Gives the answers of those that waited for
    /// something only it could have said. The first ending counts.
    pub fn leave(&mut self, node: &str, ending: Ending) -> Vec<Delivery> {
        if self.member(node).is_none() || self.ended.contains_key(node) {
            return Vec::new();
        }
        self.ended.insert(node.to_owned(), ending);
        self.waiting.retain(|ticket, _| ticket.node != node);
        self.settle()
    }

    /// How a node ended; `None` while it runs.
    pub fn ending(&self, node: &str) -> Option<&Ending> {
        self.ended.get(node)
    }

    fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// Answers everything that can be answered.
    fn settle(&mut self) -> Vec<Delivery> {
        let met: Vec<Ticket> = self.meetings();
        let mut due: Vec<Delivery> =
            met.into_iter().map(|ticket| Delivery { ticket, answer: Answer::Done }).collect();
        for delivery in &due {
            self.waiting.remove(&delivery.ticket);
            self.met.insert(delivery.ticket.clone());
        }
        let decided: Vec<Delivery> = self
            .waiting
            .iter()
            .filter_map(|(ticket, request)| {
                let answer = self.answer(&ticket.node, request)?;
                Some(Delivery { ticket: ticket.clone(), answer })
            })
            .collect();
        for delivery in &decided {
            self.waiting.remove(&delivery.ticket);
        }
        due.extend(decided);
        due
    }

    /// The requests of every meeting that is complete.
    fn meetings(&self) -> Vec<Ticket> {
        let mut here: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (ticket, request) in &self.waiting {
            if let Request::Sync { id } = request {
                here.entry(id).or_default().insert(&ticket.node);
            }
        }
        here.retain(|_, nodes| nodes.len() == self.members.len());
        let is_met =
            |request: &Request| matches!(request, Request::Sync { id } if here.contains_key(id.as_str()));
        let met = self.waiting.iter().filter(|(_, request)| is_met(request));
        met.map(|(ticket, _)| ticket.clone()).collect()
    }

    /// The answer to a request that waits; `None` while it is open.
    fn answer(&self, node: &str, request: &Request) -> Option<Answer> {
        match request {
            Request::Send { .. } => Some(Answer::Done),
            Request::Wait { id } => {
                if let Some(messages) = self.said.get(id) {
                    return Some(Answer::Message { messages: messages.clone() });
                }
                // Anybody alive may still say it.
                let others = || self.members.iter().filter(|member| member.id != node);
                let all_ended = others().all(|member| self.ended.contains_key(&member.id));
                all_ended.then(|| others().find_map(|member| self.gone(member))).flatten()
            }
            Request::WaitAll { id, role } => {
                if let Some(role) = role
                    && !self.members.iter().any(|member| member.role == *role)
                {
                    let mut known: Vec<_> = self.members.iter().map(|member| member.role.clone()).collect();
                    known.sort_unstable();
                    known.dedup();
                    let refusal = Refusal::UnknownRole { role: role.clone(), known };
                    return Some(Answer::Refused { refusal });
                }
                self.all_said(node, id, role.as_deref())
            }
            Request::Sync { .. } => self.members.iter().find_map(|member| self.gone(member)),
        }
    }

    /// Whether every other node, or every other one of the role, has said it.
    fn all_said(&self, node: &str, id: &str, role: Option<&str>) -> Option<Answer> {
        let nothing = Messages::new();
        let said = self.said.get(id).unwrap_or(&nothing);
        let plays = |member: &&Member| role.is_none_or(|role| member.role == role);
        let missing: Vec<&Member> = self
            .members
            .iter()
            .filter(plays)
            .filter(|member| member.id != node && !said.contains_key(&member.id))
            .collect();
        if let Some(gone) = missing.iter().find_map(|member| self.gone(member)) {
            return Some(gone);
        }
        let is_asked = |id: &&String| self.member(id).as_ref().is_some_and(plays);
        missing.is_empty().then(|| Answer::Message {
            messages: said
                .iter()
                .filter(|(id, _)| is_asked(id))
                .map(|(id, values)| (id.clone(), values.clone()))
                .collect(),
        })
    }

    /// The refusal of a wait for this node, if it has ended.
    fn gone(&self, member: &Member) -> Option<Answer> {
        let (failed, why) = match self.ended.get(&member.id)? {
            Ending::Complete => (false, "its job is complete".to_owned()),
            Ending::Failed(why) => (true, why.clone()),
        };
        let (node, role) = (member.name.clone(), member.role.clone());
        Some(Answer::Refused { refusal: Refusal::Ended { node, role, failed, why } })
    }
}

//! A group over links that lose, repeat and delay, with agents and a server that are killed: simulated time, printed seeds.

use std::collections::BTreeMap;

use fastrand::Rng;
use pumice_multinode::{
    Answer, Entry, Exchange, HearError, Member, Refusal, Request, Values,
    wire::{self, FromNode, ToNode, VERSION},
};
use pumice_types::{Cause, Failure};

const NODES: [&str; 3] = ["7", "8", "9"];

fn members() -> Vec<Member> {
    let member = |id: &&str| Member { id: (*id).into(), name: format!("n{id}"), role: format!("r{id}") };
    NODES.iter().map(member).collect()
}

/// What each node asks, round by round: no node waits for what another says only later. Where a node `dies`, nobody waits for
/// a message of just anybody: the living might still send it, so that such a wait ends with its time alone.
fn scripts(rounds: u64, dies: bool, random: &mut Rng) -> BTreeMap<&'static str, Vec<Request>> {
    let mut scripts: BTreeMap<&str, Vec<Request>> = NODES.iter().map(|node| (*node, Vec::new())).collect();
    for round in 0..rounds {
        let id = round.to_string();
        let kind = if dies { 2 * random.u64(..2) } else { random.u64(..3) };
        let sender = NODES[random.usize(..3)];
        for (node, script) in &mut scripts {
            let values = Values::from([("from".to_owned(), (*node).to_owned())]);
            match kind {
                0 => script.push(Request::Sync { id: "again".to_owned() }),
                1 if *node == sender => script.push(Request::Send { id: id.clone(), values }),
                1 => script.push(Request::Wait { id: id.clone() }),
                _ => script.extend([
                    Request::Send { id: id.clone(), values },
                    Request::WaitAll { id: id.clone(), role: None },
                ]),
            }
        }
    }
    scripts
}

/// A node's process and the two files by which it and its agent speak.
struct Node {
    script: Vec<Request>,
    asked: usize,
    answers: Vec<Answer>,
    out: Vec<u8>,
    input: Vec<u8>,
    read: usize,
    is_dead: bool,
    /// What its agent believes that the server has.
    sent: u64,
}

impl Node {
    fn new(node: &str, script: Vec<Request>) -> Self {
        let out = wire::line(&FromNode::Hello { version: VERSION, node: node.to_owned() }).unwrap();
        Self {
            script,
            asked: 0,
            answers: Vec::new(),
            out,
            input: Vec::new(),
            read: 0,
            is_dead: false,
            sent: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.is_dead || self.answers.len() == self.script.len()
    }

    /// Reads what came, and asks the next thing.
    fn live(&mut self) {
        while let Some(end) = self.input[self.read..].iter().position(|byte| *byte == b'\n') {
            let line = &self.input[self.read..=self.read + end];
            match serde_json::from_slice(line).expect("lines come whole") {
                ToNode::Answer { number, answer } => {
                    assert_eq!(
                        usize::try_from(number).unwrap(),
                        self.asked,
                        "an answer that nobody waits for"
                    );
                    self.answers.push(answer);
                }
                ToNode::Welcome { members } => assert_eq!(members.len(), NODES.len()),
                ToNode::End { failure } => panic!("told to end: {failure}"),
            }
            self.read += end + 1;
        }
        if self.is_dead || self.asked > self.answers.len() {
            return;
        }
        let word = match self.script.get(self.asked) {
            Some(request) => FromNode::Ask { number: self.asked as u64 + 1, request: request.clone() },
            None if self.asked == self.script.len() => FromNode::Leave { failure: None },
            None => return,
        };
        self.asked += 1;
        self.out.extend(wire::line(&word).unwrap());
    }
}

enum Message {
    Put { node: &'static str, offset: u64, bytes: Vec<u8> },
    PutAnswer { node: &'static str, have: u64 },
    Get { node: &'static str, offset: u64 },
    GetAnswer { node: &'static str, offset: u64, bytes: Vec<u8> },
}

struct World {
    random: Rng,
    nodes: BTreeMap<&'static str, Node>,
    /// `None` while the server is down.
    server: Option<Exchange>,
    kept: Vec<Entry>,
    /// By the time of their arrival.
    mail: BTreeMap<(u64, u64), Message>,
    now: u64,
    count: u64,
}

impl World {
    fn new(seed: u64, dies: bool) -> Self {
        let mut random = Rng::with_seed(seed);
        let rounds = 1 + random.u64(..12);
        let nodes = scripts(rounds, dies, &mut random);
        let nodes = nodes.into_iter().map(|(node, script)| (node, Node::new(node, script))).collect();
        let server = Some(Exchange::new(members()));
        Self { random, nodes, server, kept: Vec::new(), mail: BTreeMap::new(), now: 0, count: 0 }
    }

    fn post(&mut self, message: impl Fn() -> Message) {
        // One in ten is lost, one in ten comes twice, each takes its time.
        let copies = [0, 1, 1, 1, 1, 1, 1, 1, 1, 2][self.random.usize(..10)];
        for _ in 0..copies {
            self.count += 1;
            let at = self.now + 1 + self.random.u64(..40);
            self.mail.insert((at, self.count), message());
        }
    }

    fn agents(&mut self) {
        for name in NODES {
            let node = &self.nodes[name];
            let rest = &node.out[usize::try_from(node.sent).unwrap()..];
            // A piece is not cut at a line: what follows the last one comes again.
            let bytes = rest[..rest.len().min(200)].to_vec();
            let (offset, have) = (node.sent, node.input.len() as u64);
            if !bytes.is_empty() {
                self.post(|| Message::Put { node: name, offset, bytes: bytes.clone() });
            }
            self.post(|| Message::Get { node: name, offset: have });
        }
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Put { node, offset, bytes } => {
                let Some(server) = &mut self.server else { return };
                if self.random.u8(..100) < 1 {
                    // Killed before it was written: nobody was told.
                    self.server = None;
                    return;
                }
                let have = match server.hear(node, offset, &bytes) {
                    Ok(heard) => {
                        self.kept.extend(heard.entries);
                        server.heard_bytes(node)
                    }
                    Err(HearError::Gap { have, .. }) => have,
                    Err(error) => panic!("{error}"),
                };
                self.post(|| Message::PutAnswer { node, have });
            }
            Message::Get { node, offset } => {
                let Some(server) = &self.server else { return };
                let said = server.said(node, offset);
                // Cut anywhere, also in the middle of a line.
                let most = 1 + self.random.usize(..80);
                let bytes = said[..said.len().min(most)].to_vec();
                self.post(|| Message::GetAnswer { node, offset, bytes: bytes.clone() });
            }
            Message::PutAnswer { node, have } => {
                let node = self.nodes.get_mut(node).unwrap();
                node.sent = have.min(node.out.len() as u64);
            }
            Message::GetAnswer { node, offset, bytes } => {
                let node = self.nodes.get_mut(node).unwrap();
                // The agent appends what begins where its file ends.
                if node.input.len() as u64 == offset {
                    node.input.extend(bytes);
                }
            }
        }
    }

    fn trouble(&mut self) {
        if self.random.u8(..100) < 1 {
            self.server = None;
        }
        if self.server.is_none() && self.random.u8(..100) < 10 {
            self.server = Some(Exchange::restore(members(), self.kept.clone()));
        }
        if self.random.u8(..100) < 1 {
            // An agent is killed: the next one knows no more than the files.
            let name = NODES[self.random.usize(..3)];
            self.nodes.get_mut(name).unwrap().sent = 0;
        }
    }

    fn kill(&mut self, name: &'static str) {
        let node = self.nodes.get_mut(name).unwrap();
        if !node.is_over() {
            node.is_dead = true;
        }
    }

    /// The lab learns of a dead node's end in its own time.
    fn notice(&mut self) {
        let Some(server) = &mut self.server else { return };
        for (name, _) in self.nodes.iter().filter(|(_, node)| node.is_dead) {
            let failure = Failure::new(Cause::SimulatorExited, "it was killed");
            self.kept.extend(server.gone(name, Some(failure)));
        }
    }

    /// Until every node has come to its end.
    fn run(&mut self, death: Option<(u64, &'static str)>) {
        while !self.nodes.values().all(Node::is_over) {
            assert!(self.now < 200_000, "somebody waits for ever");
            self.now += 1;
            if let Some((at, name)) = death
                && at == self.now
            {
                self.kill(name);
            }
            while let Some(first) = self.mail.first_entry().filter(|first| first.key().0 <= self.now) {
                let message = first.remove();
                self.deliver(message);
            }
            self.trouble();
            if self.now.is_multiple_of(50) {
                self.notice();
            }
            if self.now.is_multiple_of(10) {
                self.nodes.values_mut().for_each(Node::live);
                self.agents();
            }
        }
    }

    fn check(&self, dead: Option<&str>) {
        for (name, node) in self.nodes.iter().filter(|(name, _)| Some(**name) != dead) {
            for (request, answer) in node.script.iter().zip(&node.answers) {
                let is_right = match (request, answer) {
                    // A meeting that failed leaves the others out of step, so that it need not be the dead one.
                    (_, Answer::Refused { refusal: Refusal::Ended { .. } }) => dead.is_some(),
                    (Request::Send { .. } | Request::Sync { .. }, Answer::Done) => true,
                    (Request::Wait { .. }, Answer::Message { messages }) => {
                        messages.iter().all(|(from, values)| values["from"] == *from)
                    }
                    (Request::WaitAll { .. }, Answer::Message { messages }) => {
                        NODES.iter().all(|other| messages.contains_key(*other))
                    }
                    _ => false,
                };
                assert!(is_right, "node {name} asked {request} and was answered {answer:?}");
            }
        }
        // What was kept is the group, and says what was said.
        let again = Exchange::restore(members(), self.kept.clone());
        for node in NODES.iter().filter(|_| self.server.is_some()) {
            let server = self.server.as_ref().unwrap();
            assert_eq!(again.said(node, 0), server.said(node, 0));
            assert_eq!(again.heard_bytes(node), server.heard_bytes(node));
        }
    }
}

#[track_caller]
fn check(seed: u64, dies: bool) {
    println!("seed {seed}");
    let mut world = World::new(seed, dies);
    let death = dies.then(|| (1 + world.random.u64(..600), NODES[world.random.usize(..3)]));
    world.run(death);
    world.check(death.map(|(_, name)| name));
}

#[test]
fn every_request_is_answered_once_whatever_is_lost_repeated_or_killed() {
    for seed in 0..150 {
        check(seed, false);
    }
}

#[test]
fn a_node_that_dies_ends_the_waits_of_the_others_whatever_is_lost_repeated_or_killed() {
    for seed in 150..300 {
        check(seed, true);
    }
}

#[test]
fn bytes_that_are_missing_mean_nothing_or_come_from_a_stranger_change_nothing() {
    let mut exchange = Exchange::new(members());
    let mut check = |node: &str, offset, bytes: &[u8], expected: &str| {
        let before = exchange.heard_bytes(node);
        let error = exchange.hear(node, offset, bytes).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(exchange.heard_bytes(node), before);
    };
    check("7", 5, b"", "0 bytes of node 7 have come");
    check("7", 0, b"{\"say\":\"sing\"}\n", "cannot be understood");
    check("7", 0, b"\xff\n", "cannot be understood");
    check("7", 0, &vec![b'x'; 2 << 20], "has said more");
    check("1", 0, b"", "no node of this group");
    assert_eq!(exchange.hear("7", 0, b"{\"say\"").unwrap().entries, [], "half a line comes again");
    let hello = wire::line(&FromNode::Hello { version: VERSION + 1, node: "7".to_owned() }).unwrap();
    let heard = exchange.hear("7", 0, &hello).unwrap();
    let Some(Entry::Said { line, .. }) = heard.entries.last() else { panic!("it was told nothing") };
    assert!(line.contains("speaks version 2"), "{line}");
}

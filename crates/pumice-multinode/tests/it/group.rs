//! Conversations: what each node asks, and who is answered by that.

use std::collections::BTreeMap;

use pumice_multinode::{Answer, Delivery, Ending, Group, Member, Request, Ticket};

/// Nodes 1 (`server`), 2 and 3 (`client`).
pub(crate) fn group() -> Group {
    let member = |(id, name, role): (&str, &str, &str)| Member {
        id: id.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
    };
    let members = [("1", "server", "server"), ("2", "client-1", "client"), ("3", "client-2", "client")];
    Group::new(members.map(member).into())
}

/// A conversation. `2 sync x` is a request of node 2, numbered as it comes; `2 gives up 4`, `2 fails boom` and
/// `2 ends` are said of it; `2 again 4 sync x` is request 4 once more.
struct Talk {
    group: Group,
    number: u64,
}

impl Talk {
    fn say(&mut self, line: &str) -> String {
        let (node, words) = line.split_once(' ').unwrap();
        let due = match words.split_once(' ').unwrap_or((words, "")) {
            ("ends", _) => self.group.leave(node, Ending::Complete),
            ("fails", why) => self.group.leave(node, Ending::Failed(why.to_owned())),
            ("gives", up) => {
                let number = up.trim_start_matches("up ").parse().unwrap();
                self.group.give_up(&Ticket { node: node.to_owned(), number });
                Vec::new()
            }
            ("again", rest) => {
                let (number, words) = rest.split_once(' ').unwrap();
                let ticket = Ticket { node: node.to_owned(), number: number.parse().unwrap() };
                self.group.ask(ticket, request(words))
            }
            _ => {
                self.number += 1;
                self.group.ask(Ticket { node: node.to_owned(), number: self.number }, request(words))
            }
        };
        due.iter().map(shown).collect::<Vec<_>>().join("; ")
    }
}

fn request(words: &str) -> Request {
    let mut words = words.split(' ').map(str::to_owned);
    let (verb, id) = (words.next().unwrap(), words.next().unwrap());
    match verb.as_str() {
        "send" => {
            let pair = |word: String| {
                let (key, value) = word.split_once('=').unwrap();
                (key.to_owned(), value.to_owned())
            };
            Request::Send { id, values: words.map(pair).collect() }
        }
        "wait" => Request::Wait { id },
        "wait-all" => Request::WaitAll { id, role: words.next() },
        "sync" => Request::Sync { id },
        other => panic!("{other}"),
    }
}

fn shown(delivery: &Delivery) -> String {
    let answer = match &delivery.answer {
        Answer::Done => "done".to_owned(),
        Answer::Refused { refusal } => format!("refused, {refusal}"),
        Answer::Message { messages } => {
            let data = |values: &BTreeMap<String, String>| {
                values.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
            };
            let all: Vec<_> =
                messages.iter().map(|(node, values)| format!("{node}[{}]", data(values))).collect();
            all.join(" ")
        }
    };
    format!("{} {answer}", delivery.ticket.node)
}

#[track_caller]
fn check(talk: &[(&str, &str)]) {
    let mut group = Talk { group: group(), number: 0 };
    for (line, expected) in talk {
        assert_eq!(group.say(line), *expected, "after `{line}`");
    }
}

#[test]
fn a_message_that_was_sent_early_is_there_for_whoever_asks_and_as_often_as_he_asks() {
    check(&[
        ("1 send ip a=1", "1 done"),
        ("2 wait ip", "2 1[a=1]"),
        ("2 wait ip", "2 1[a=1]"),
        ("3 wait ip", "3 1[a=1]"),
        ("1 wait ip", "1 1[a=1]"),
    ]);
}

#[test]
fn a_wait_is_over_with_the_first_message_of_any_node() {
    check(&[
        ("2 wait ip", ""),
        ("3 wait ip", ""),
        ("1 send other a=1", "1 done"),
        ("1 send ip", "1 done; 2 1[]; 3 1[]"),
    ]);
}

#[test]
fn what_a_node_sends_again_replaces_what_it_said() {
    check(&[
        ("1 send ip a=1 b=2", "1 done"),
        ("1 send ip a=3", "1 done"),
        ("2 send ip a=4", "2 done"),
        ("3 wait ip", "3 1[a=3] 2[a=4]"),
    ]);
}

#[test]
fn wait_all_is_over_when_every_other_node_has_said_it() {
    check(&[
        ("1 wait-all up", ""),
        ("2 send up n=2", "2 done"),
        ("3 send up n=3", "3 done; 1 2[n=2] 3[n=3]"),
        // Its own word is not missing, and not left out.
        ("2 wait-all up", ""),
        ("1 send up n=1", "1 done; 2 1[n=1] 2[n=2] 3[n=3]"),
    ]);
}

#[test]
fn wait_all_with_a_role_needs_every_node_of_that_role() {
    // LAVA's coordinator looks at the first one only.
    check(&[
        ("1 wait-all up client", ""),
        ("2 send up n=2", "2 done"),
        ("3 send up n=3", "3 done; 1 2[n=2] 3[n=3]"),
        ("2 wait-all down server", ""),
        ("3 send down n=3", "3 done"),
        ("1 send down n=1", "1 done; 2 1[n=1]"),
        (
            "1 wait-all up nobody",
            "1 refused, no node of this job has the role `nobody`; there is: client, server",
        ),
    ]);
}

#[test]
fn the_only_node_of_a_role_does_not_wait_for_itself() {
    check(&[("1 wait-all up server", "1 ")]);
}

#[test]
fn a_sync_is_over_when_all_are_here_and_the_next_of_that_name_is_another() {
    check(&[
        ("1 sync start", ""),
        ("2 sync start", ""),
        ("2 sync start", ""),
        ("3 sync other", ""),
        ("3 sync start", "1 done; 2 done; 2 done; 3 done"),
        ("1 sync start", ""),
        ("2 sync start", ""),
        ("3 sync start", "1 done; 2 done; 3 done"),
    ]);
}

#[test]
fn who_gives_up_is_not_here() {
    check(&[
        ("1 sync start", ""),
        ("1 gives up 1", ""),
        ("2 sync start", ""),
        ("3 sync start", ""),
        ("1 sync start", "1 done; 2 done; 3 done"),
    ]);
}

#[test]
fn a_request_whose_answer_was_lost_gets_it_again() {
    check(&[
        ("1 sync start", ""),
        ("2 sync start", ""),
        ("3 sync start", "1 done; 2 done; 3 done"),
        ("1 again 1 sync start", "1 done"),
        ("1 send up n=1", "1 done"),
        ("1 again 4 send up n=1", "1 done"),
        ("2 wait up", "2 1[n=1]"),
    ]);
}

#[test]
fn the_end_of_a_node_ends_every_wait_that_only_it_could_have_ended() {
    check(&[
        ("1 sync start", ""),
        ("2 wait up", ""),
        ("3 fails the kernel panicked", "1 refused, node client-2 (client) has ended: the kernel panicked"),
        ("1 wait-all up client", "1 refused, node client-2 (client) has ended: the kernel panicked"),
        ("1 sync start", "1 refused, node client-2 (client) has ended: the kernel panicked"),
        // Node 1 may still say it.
        ("1 ends", "2 refused, node server (server) has ended: its job is complete"),
    ]);
}

#[test]
fn what_a_node_said_outlives_it() {
    check(&[
        ("3 send up n=3", "3 done"),
        ("3 ends", ""),
        ("3 fails late", ""),
        ("1 wait up", "1 3[n=3]"),
        ("2 send up n=2", "2 done"),
        ("1 wait-all up client", "1 2[n=2] 3[n=3]"),
    ]);
}

#[test]
fn a_stranger_is_refused() {
    check(&[("9 send up n=1", "9 refused, `9` is no node of this job"), ("9 ends", "")]);
}

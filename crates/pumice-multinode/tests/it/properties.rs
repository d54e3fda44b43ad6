//! What holds of every conversation.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pumice_multinode::{Ending, Request, Ticket, Values};

use crate::group::group;

#[derive(Clone, Debug)]
enum Act {
    Ask(usize, Request),
    GiveUp(usize),
    Leave(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let id = prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned);
    let role = prop::option::of(prop::sample::select(vec!["client", "server"]).prop_map(str::to_owned));
    let request = (0..4, id, role).prop_map(|(verb, id, role)| match verb {
        0 => Request::Send { id, values: Values::new() },
        1 => Request::Wait { id },
        2 => Request::WaitAll { id, role },
        _ => Request::Sync { id },
    });
    prop_oneof![
        8 => (0..3_usize, request).prop_map(|(node, request)| Act::Ask(node, request)),
        1 => (0..40_usize).prop_map(Act::GiveUp),
        1 => (0..3_usize).prop_map(Act::Leave),
    ]
}

proptest! {
    /// A request is answered once at most, never after it was given up or its node ended; and once all nodes have
    /// ended, nobody waits.
    #[test]
    fn every_request_has_at_most_one_end(acts in prop::collection::vec(act(), 0..60)) {
        let mut group = group();
        let nodes = ["1", "2", "3"];
        let mut open = BTreeSet::new();
        let mut gone = BTreeSet::new();
        let mut number = 0;
        let mut asked = Vec::new();
        for act in acts {
            let due = match act {
                Act::Ask(node, _) if gone.contains(nodes[node]) => continue,
                Act::Ask(node, request) => {
                    number += 1;
                    let ticket = Ticket { node: nodes[node].to_owned(), number };
                    open.insert(ticket.clone());
                    asked.push(ticket.clone());
                    group.ask(ticket, request)
                }
                Act::GiveUp(index) => {
                    if let Some(ticket) = asked.get(index) {
                        group.give_up(ticket);
                        open.remove(ticket);
                    }
                    continue;
                }
                Act::Leave(node) => {
                    gone.insert(nodes[node]);
                    open.retain(|ticket: &Ticket| ticket.node != nodes[node]);
                    group.leave(nodes[node], Ending::Complete)
                }
            };
            for delivery in due {
                prop_assert!(open.remove(&delivery.ticket), "{:?} was not open", delivery.ticket);
            }
        }
        let waiting: BTreeSet<_> = group.waiting().map(|(ticket, _)| ticket.clone()).collect();
        prop_assert_eq!(waiting, open);
        let ended: Vec<_> = nodes.iter().flat_map(|node| group.leave(node, Ending::Complete)).collect();
        prop_assert_eq!(group.waiting().count(), 0, "left after {:?}", ended);
    }
}

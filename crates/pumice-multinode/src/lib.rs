//! What the nodes of a MultiNode job say to each other, and who waits for what (lava-compat 5).
//!
//! ```text
//!  node 12 ── ask 1: sync ready ──▶ ┌───────┐
//!  node 13 ── ask 7: send ip a=b ─▶ │ Group │ ── answer 7: done ──▶ node 13
//!  node 13 ── ask 8: sync ready ──▶ └───────┘ ── answers 1 and 8: done
//! ```
//!
//! A [`Group`] is a pure state machine: it is given requests, ends of nodes and requests that are given up, and says
//! which requests are answered by that. Whoever carries the words ([`wire`]) feeds it: the coordinator of `pumice run`,
//! or a lab's server, whose nodes are on other machines ([`Exchange`]). Where it does better than LAVA's coordinator is told in
//! `docs/lava-differences.md`.

mod exchange;
mod group;
mod request;
pub mod wire;

pub use exchange::{Entry, Exchange, HearError, Heard};
pub use group::{Delivery, Ending, Group, Member, Ticket};
pub use request::{Answer, Messages, Refusal, Request, Values};

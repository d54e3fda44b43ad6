//! The rendezvous of a MultiNode job, as conversations.

mod group;
mod properties;

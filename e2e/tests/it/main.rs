//! End-to-end tests, one binary.

mod boots;
mod corpus;
mod flood;
mod harness;
mod kill;
mod tuxrun;
mod uml;

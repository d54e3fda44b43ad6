//! End-to-end tests, one binary.

mod boots;
mod corpus;
mod flood;
mod harness;
mod kill;
mod lab;
mod models;
mod tuxrun;
mod uml;

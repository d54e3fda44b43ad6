//! The scripts of `guest/`, run for real under every shell there is, and the corpus of test definitions.

mod channel;
mod corpus;
mod harness;
mod helpers;
mod install;
mod runner;

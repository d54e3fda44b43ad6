//! Reads jobs as a user of the crate does.

mod corpus;

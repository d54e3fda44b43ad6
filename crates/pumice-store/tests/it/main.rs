//! The store as its users see it, against a web server on this host that behaves badly on request.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fetch;
mod files;
mod kill;
mod network;
mod prune;
mod server;
mod sharing;
mod views;
mod world;

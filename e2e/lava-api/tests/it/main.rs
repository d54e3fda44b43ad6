//! Our server and the crate `lava-api`. A test crate of its own, because that crate brings an HTTP client and a TLS library
//! that nothing else here waits for.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod client;
#[path = "../../../../crates/pumice-server/tests/it/exchange.rs"]
mod exchange;
#[expect(dead_code, reason = "the server's own tests use the rest")]
#[path = "../../../../crates/pumice-server/tests/it/lab.rs"]
mod lab;

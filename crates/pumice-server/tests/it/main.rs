//! The server from outside: its doors, with the clients and the workers that use them.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says why")]

mod access;
mod browser;
mod callbacks;
mod claims;
mod clients;
mod exchange;
mod hostile;
mod lab;
mod large;
mod lava_worker;
mod lavacli;
mod openapi;
mod own_worker;
mod pages;
mod routes;
mod rpc;
#[cfg(feature = "s3")]
mod s3;
mod uploads;

//! End-to-end tests, one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

mod blocks;
mod boots;
mod containers;
mod corpus;
mod firmware;
mod flood;
mod harness;
mod hold;
mod kexec;
mod kill;
mod lab;
mod lavacli;
mod login;
mod machines;
mod models;
mod multinode;
mod networks;
mod protocols;
mod robust;
mod roots;
mod server;
mod ssh;
mod ssh_group;
mod time;
mod tuxrun;
mod uml;
mod uploads;

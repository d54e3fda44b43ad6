//! The lab's server: routes by domain, pages, background tasks.
//!
//! [`App`] is a server with its state; [`App::serve`] runs it on a listener. Behind it:
//!
//! * `lab` is what can be asked of the lab, whichever door the question comes through; `access` says who asks and
//!   what is allowed;
//! * the doors: `xmlrpc` and `rest` are LAVA's APIs, `lava_worker` its worker protocol, `worker_api` ours, `pages` the
//!   web pages, `events` the stream of what happens;
//! * `groups` passes the words of MultiNode jobs' nodes on;
//! * `scheduler` drives `pumice-sched`, which decides; `results` reads logs; `notify` calls back; `storage` keeps
//!   logs and files.
//!
//! SQL stands in `pumice-db`, scheduling rules in `pumice-sched`, the job language in `pumice-job`.

mod access;
mod app;
mod claim;
mod clock;
mod config;
mod events;
mod front;
mod groups;
mod lab;
mod lava_worker;
mod notify;
mod origin;
mod pages;
mod plain;
mod purge;
mod refusal;
mod rest;
mod results;
mod scheduler;
mod secrets;
mod serve;
mod settle;
pub mod storage;
mod stored;
mod stream;
mod tls;
mod worker_api;
mod xmlrpc;
mod yaml;

pub use app::{App, StartError, Stopper};
pub use config::{Config, Mail};
pub use tls::{Tls, TlsError};

/// The version of LAVA whose interfaces these are; clients choose their calls by it (clients.md 2).
pub(crate) const LAVA_VERSION: &str = "2026.07";

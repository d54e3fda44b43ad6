//! The wire types between server, workers and clients, versioned.
//!
//! `worker` is the protocol between our worker and our server (`docs/protocol/worker.md`), `people` what our command line
//! asks beyond LAVA's REST API, `upload` files that are sent for jobs, `control` what is said to a run about its machines
//! (`docs/protocol/control.md`), `xmlrpc` the text of XML-RPC. Types of the protocols that
//! are LAVA's keep LAVA's field names. Everything here reads what an older or newer version of us wrote: unknown
//! fields are ignored, absent lists are empty.

pub mod control;
pub mod people;
mod problem;
pub mod upload;
pub mod worker;
pub mod xmlrpc;

pub use problem::{Problem, ProblemCode};

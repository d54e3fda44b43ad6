//! Hands on a run's machines: people reach them while the job runs, through a socket in its directory
//! (`docs/protocol/control.md`).
//!
//! ```text
//!  client ──line──▶ connection ──▶ Hands ──▶ consoles, buttons      at any time
//!                       │                      (type, listen, reset, pause)
//!                       └──Asked──▶ the runner, while it holds     stop, start, run, push, pull
//! ```
//!
//! Consoles can be read and typed into whatever the job does. What needs the machine for itself is done by the runner,
//! one after the other, and only while it holds: between two blocks nobody else uses the shell.

mod connection;
mod hands;
mod hold;
mod socket;
mod transfer;

pub use hands::Hands;
pub(crate) use hands::{Asked, Reach, Registered, Work};
pub(crate) use hold::Holder;
pub use socket::Listening;
pub(crate) use transfer::{exec, pull, push, refused};

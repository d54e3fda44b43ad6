//! The lab's state machine: what a state and an event lead to, with no clock and no I/O.
//!
//! ```text
//!             Submit                Assign            started             finished
//!   (nobody) ───────▶ Submitted ──────────▶ Scheduled ───────▶ Running ────────────▶ (gone, with a verdict)
//!                      ▲   │                  │    │              │                      ▲
//!                      │   └──cancel──────────┼────┼──────────────┼──────────────────────┤
//!                      └────lease over────────┴────┼──────────────┤                      │
//!                         or handed back           └───cancel─────┴──▶ Cancelling ───────┘
//! ```
//!
//! [`Lab::step`] takes an [`Event`] and the time and returns [`Action`]s. The server writes them to its database in one
//! transaction and then tells whom they concern. Whatever a worker must do is also in [`Lab::orders`], which is asked at
//! each poll, so that a lost message delays and never changes anything.
//!
//! Who gets a device: [`queue`](crate) keeps the order, `pass` walks it, `room` knows what is free, `place` finds places for a whole group or for none.
//! Who keeps it: `lease`. What its end means: `end` and `health`. Why a job waits: [`Lab::why`].
//!
//! A job is lent under a fence, for a lease. It leaves a worker only by that worker's word or by the end of the lease and a margin
//! (`docs/protocol/worker.md` section 3). The simulation in `simulation/` tries that with lost, repeated and late messages,
//! crashes, partitions and jumping clocks, from printed seeds.

mod device;
mod end;
mod event;
mod health;
mod job;
mod lab;
mod lease;
mod pass;
mod place;
mod policy;
mod queue;
mod room;
mod shape;
mod share;
mod time;
mod view;
mod why;
mod worker;

pub use device::{Access, CheckEvery, Device, DeviceHealth, DeviceState, DeviceType};
pub use event::{Action, Event, FinishReason, HealthReason, RequeueReason};
pub use job::{Giving, HIGHEST_PRIORITY, Job, JobKind, JobRequest, Member};
pub use lab::{Lab, Record};
pub use policy::Policy;
pub use time::Time;
pub use why::{Obstacle, Why};
pub use worker::{Leasing, Size, Worker, WorkerFacts, WorkerHealth, WorkerState};

//! Telling others how a job goes: callbacks (lava-compat 1.8).

mod address;
mod deliver;
mod enqueue;
mod payload;

pub(crate) use deliver::spawn_delivery;
pub(crate) use enqueue::enqueue;

//! Telling others how a job goes: callbacks and mail (lava-compat 1.8). IRC is not spoken.

mod address;
mod deliver;
mod enqueue;
mod mail;
mod others;
mod payload;

pub(crate) use deliver::spawn_delivery;
pub(crate) use enqueue::enqueue;

//! A lab of several machines: the server and each worker in a network namespace of its own.

mod faults;
mod hands;
mod lava_worker;
mod models;
mod multinode;
mod rig;
mod uploads;

//! The scheduler at work: one task owns the lab's state, everybody else sends it events.

mod apply;
mod check;
mod handle;
mod record;
mod round;
mod task;

pub(crate) use handle::Scheduler;
pub(crate) use record::{
    access_of_devices, device_for_scheduler, health_for_scheduler, job_ref, type_for_scheduler,
    worker_for_scheduler, worker_health_for_scheduler,
};
pub(crate) use task::start;

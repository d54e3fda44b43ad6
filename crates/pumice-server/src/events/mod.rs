//! What happens in the lab, told to whoever listens and may know (lava-compat 7.5).

mod bus;
mod event;
mod socket;

pub(crate) use bus::EventBus;
pub(crate) use event::{Draft, device_event, event_message, job_event, worker_event};
pub(crate) use socket::listen;

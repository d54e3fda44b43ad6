//! LAVA's own worker protocol, so that its workers can join (lava-compat 6.3 and 6.5).

mod answer;
mod finish;
mod give;
mod routes;

pub(crate) use give::{hand_over, job_token};
pub(crate) use routes::routes;

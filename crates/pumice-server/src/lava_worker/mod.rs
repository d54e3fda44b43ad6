//! LAVA's own worker protocol, so that its workers can join (lava-compat 6.3 and 6.5).

mod answer;
mod finish;
mod give;
mod routes;

pub(crate) use give::{configuration_for, definition_for_worker, job_token};
pub(crate) use routes::routes;

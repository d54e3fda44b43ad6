//! Our own protocols: workers' (`docs/protocol/worker.md`) and what people's clients ask beyond LAVA's REST
//! (`pumice_api::people`).

mod answer;
mod channel;
mod files;
mod group;
mod job;
mod known;
mod people;
mod routes;
mod session;
mod uploads;

pub(crate) use channel::Channels;
pub(crate) use known::KnownWorkers;
pub(crate) use routes::routes;

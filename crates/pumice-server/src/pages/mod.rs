//! Web pages: rendered here, with a style and a few scripts of our own.

mod account;
mod compare;
mod context;
mod devices;
mod help;
mod home;
mod jobs;
mod page;
mod queue;
mod results;
mod routes;
mod stream;
mod submit;
mod templates;
mod workers;

pub(crate) use page::nowhere;
pub(crate) use routes::routes;
pub(crate) use templates::Templates;

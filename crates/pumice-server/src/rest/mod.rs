//! LAVA's REST API, version 0.2, at `/api/v0.2/` (lava-compat 7.3), with what we add to it.

mod accounts;
mod answer;
mod device_types;
mod devices;
mod jobs;
mod list;
mod multipart;
mod openapi;
mod permissions;
mod results;
mod routes;
mod schema;
mod seen;
mod small;
mod system;
mod token;
mod uploads;
mod workers;

pub(crate) use answer::{Refused, Who};
pub(crate) use list::encoded;
pub(crate) use openapi::{Described, described};
pub(crate) use routes::routes;
pub(crate) use seen::SeenJob;
pub(crate) use token::{check_password, make as make_token};

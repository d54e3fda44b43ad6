//! The methods, by what they are about.

pub(super) mod accounts;
pub(super) mod device_types;
pub(super) mod devices;
pub(super) mod jobs;
pub(super) mod legacy;
pub(super) mod results;
pub(super) mod small;
pub(super) mod system;
pub(super) mod workers;

//! One file a subcommand.

pub(crate) mod check;
pub(crate) mod device;
pub(crate) mod doctor;
pub(crate) mod lava_run;
pub(crate) mod lsp;
pub(crate) mod model;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod schema;

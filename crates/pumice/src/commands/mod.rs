//! One file a subcommand.

pub(crate) mod check;
pub(crate) mod lava_run;
pub(crate) mod plan;
pub(crate) mod run;

//! How long things may take (lava-compat 1.2).

use std::time::Duration;

use pumice_types::{Span, Spanned};
use serde::Serialize;

/// One timeout as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timeout {
    /// How long. Never zero: what LAVA takes as its default is that default, [`Timeout::UNSET`].
    pub duration: Duration,
    /// `skip: true`: when a test block runs out of time, it fails and the job goes on with the next block.
    pub skip: bool,
    /// `soft: true`, an extension: running out of time is recorded, the block is given up, the job goes on.
    pub soft: bool,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

impl Timeout {
    /// What an empty or zero timeout means (lava-compat 1.2, `ACTION_TIMEOUT`).
    pub const UNSET: Duration = Duration::from_secs(30);
}

/// A timeout for every action or connection of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedTimeout {
    /// The name, as in results: `http-download`, `lava-test-shell`.
    pub name: Spanned<String>,
    /// How long.
    pub timeout: Timeout,
}

/// The timeouts of a whole job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// The whole run.
    pub job: Timeout,
    /// Every action that has none of its own.
    pub action: Option<Timeout>,
    /// Every wait on a console that has none of its own.
    pub connection: Option<Timeout>,
    /// How long the job may wait for a device.
    pub queue: Option<Timeout>,
    /// What is done after the last block. An extension; LAVA always gives 300 seconds.
    pub cleanup: Option<Timeout>,
    /// How long machines are held for people when the job failed or a test did. An extension; LAVA has no holds.
    pub hold: Option<Timeout>,
    /// How long every console may be silent while a block runs. An extension; LAVA has no such limit.
    pub inactivity: Option<Timeout>,
    /// Actions by name.
    pub actions: Vec<NamedTimeout>,
    /// Waits by name of the action that waits.
    pub connections: Vec<NamedTimeout>,
}

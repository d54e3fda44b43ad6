//! What people's clients ask beyond LAVA's REST API (lava-compat 7.3), which serves everything that LAVA has.
//!
//! Paths are relative to [`PREFIX`]; `Authorization: Token SECRET` as for LAVA's API; refusals are
//! [`crate::Problem`]s.
//!
//! | request | body → answer |
//! | --- | --- |
//! | `GET jobs/ID/why` | → [`Why`] |
//! | `GET jobs/ID/log?offset=N&wait_ms=W` | → bytes of the log from N on, at most 1 MiB; empty after W; the header [`LOG_END_HEADER`] `: true` when nothing follows |
//! | `GET jobs/ID/files` | → list of [`StoredFile`] |
//! | `GET jobs/ID/files/NAME` | → its bytes; `Range` is honoured |
//! | `POST reservations` | [`Reservation`] → [`Reserved`] |
//! | `POST jobs/ID/channels` | → [`Channel`]: talk to the job's machines |
//! | `PUT channels/ID?offset=N[&end=true]` | bytes to the job → [`crate::worker::Position`] |
//! | `GET channels/ID?offset=N&wait_ms=W` | → bytes from the job; [`crate::worker::CHANNEL_END_HEADER`]`: true` when nothing follows |
//! | `GET tokens` | → list of [`Token`] |
//! | `POST tokens` | [`NewToken`] → [`CreatedToken`] |
//! | `DELETE tokens/ID` | → nothing |
//! | `GET licences` | → list of [`Licence`] |

use pumice_types::{Failure, JobId};
use serde::{Deserialize, Serialize};

/// What every path of this interface begins with.
pub const PREFIX: &str = "/api/pumice/v1/";

/// The response header of a piece of a log that says that nothing follows: `true`.
pub const LOG_END_HEADER: &str = "pumice-log-end";

/// Why a job waits, or why it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The job.
    pub job: JobId,
    /// Its state in LAVA's words (lava-compat 6.1).
    pub state: String,
    /// How many jobs or groups come before it, fair share aside; for a waiting job.
    #[serde(default)]
    pub ahead: Option<usize>,
    /// What keeps it from running; for a waiting job.
    #[serde(default)]
    pub obstacles: Vec<Obstacle>,
    /// Why it is not complete; for a finished one.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// One thing that keeps a job from running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What it is, in a few words.
    pub what: String,
    /// What would remove it.
    pub remedy: String,
    /// For how many devices it holds.
    pub devices: usize,
}

/// A file that a job left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// A machine for a person: becomes a job that boots it and waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The model of the library, or the device type.
    pub model: String,
    /// Tags that the device must have.
    #[serde(default)]
    pub tags: Vec<String>,
    /// For how long.
    pub seconds: u64,
    /// A job definition, whose deploys and boots are to be held; where none is given, the health check of the device type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// The job that holds a reserved machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The job.
    pub job: JobId,
}

/// A way to a job's machines; what is said over it is `docs/protocol/control.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id, fit for a path.
    pub channel: String,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// What its owner calls it.
    pub description: String,
    /// What it may be used for: `read`, `submit`, `manage`; none stands for all.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it ends, RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// When it was used last, RFC 3339.
    #[serde(default)]
    pub last_used: Option<String>,
}

/// A token to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// What its owner calls it.
    pub description: String,
    /// What it may be used for; none stands for all.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// For how long it is valid; for ever when absent.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// A token that was made: the secret is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedToken {
    /// Its number.
    pub id: i64,
    /// The secret.
    pub secret: String,
}

/// Never shows the secret.
impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A licence that the lab counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// Its name.
    pub name: String,
    /// How many seats the lab has.
    pub seats: u32,
    /// How many are taken.
    pub taken: u32,
}

//! Jobs of several machines (lava-compat 5.1).

use pumice_types::{Span, Spanned};
use pumice_yaml::Map;
use serde::Serialize;

use super::Timeout;

/// `protocols.lava-multinode` of a job that is not split yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Multinode {
    /// How long a request to the other nodes may take.
    pub timeout: Option<Timeout>,
    /// The roles, in order.
    pub roles: Vec<Role>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// A part that one or more machines play.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Role {
    /// Its name.
    pub name: Spanned<String>,
    /// How many machines play it.
    pub count: Spanned<u32>,
    /// What plays it.
    pub kind: RoleKind,
    /// Variables for the templates of the device.
    pub context: Map,
    /// What the device must be tagged with.
    pub tags: Vec<Spanned<String>>,
    /// Variables of the test shell on the DUT.
    pub environment: Option<Map>,
    /// Whether the others end when it fails.
    pub essential: bool,
    /// How long it may take.
    pub timeout: Option<Timeout>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// What plays a role.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleKind {
    /// A device.
    Device {
        /// Its class.
        device_type: Spanned<String>,
        /// A certain one.
        device: Option<Spanned<String>>,
        /// On a certain worker.
        worker: Option<Spanned<String>>,
    },
    /// A connection to the machine of another role.
    Connection(DynamicConnection),
}

/// A connection to the machine of another role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DynamicConnection {
    /// `ssh`
    pub connection: Spanned<String>,
    /// The role whose machine it connects to.
    pub host_role: Spanned<String>,
    /// The role it waits for.
    pub expect_role: Option<Spanned<String>>,
    /// The request it waits with, `lava-start`.
    pub request: Option<Spanned<String>>,
}

/// Which node of a MultiNode job a split job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name, one of `members`.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Every node of the job, itself included.
    pub members: Vec<Member>,
    /// The name of the whole group, which a server gives (`target_group`).
    pub group: Option<String>,
    /// Whether the others end when it fails.
    pub essential: bool,
    /// How long a request to the other nodes may take.
    pub timeout: Option<Timeout>,
    /// The connection it is, if it has no device of its own.
    pub connection: Option<DynamicConnection>,
}

/// One node of a MultiNode job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its name: the number of its job where a server gave one, else its role and a number.
    pub name: String,
    /// Its role.
    pub role: String,
}

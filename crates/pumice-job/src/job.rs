//! The job definition as types. What a word means, and where it may stand: the table of the language.
//!
//! Everything here is read from a text that was checked; a value that was wrong is absent and has a diagnostic.
//! [`Spanned`] values know where they were written, so that later stages can point there too.

mod block;
mod boot;
mod container;
mod deploy;
mod multinode;
mod notify;
mod resource;
mod secrets;
mod test;
mod time;

pub use block::{Action, Block, Command, ProtocolRequest};
pub use boot::{
    AutoLogin, Boot, BootDetail, BootMessages, Bootloader, ContainerBoot, Kexec, LineSeparator, MinimalBoot,
    ModelBoot, SshBoot, TransferMethod, TransferOverlay,
};
pub use container::{Container, RegistryLogin};
pub use deploy::{Deploy, IsoInstall, Postprocess};
pub use multinode::{DynamicConnection, Member, Multinode, Node as MultinodeNode, Role, RoleKind};
pub use notify::{
    Callback, CallbackDataset, CallbackMethod, Compare, Criteria, Notify, Query, Recipient, Verbosity,
};
pub use resource::{
    Algorithm, Checksum, Compression, FileSystem, Format, Image, Overlay, OverlayFile, Resource,
};
pub use secrets::Secrets;
pub use test::{
    Condition, ConditionFault, Definition, DefinitionSource, Install, Interactive, MessageRequest, Monitor,
    ScriptCommand, ScriptStep, Service, SignalChannel, Test, TestContainer, TestKind,
};
pub use time::{NamedTimeout, Timeout, Timeouts};

use pumice_types::{Diagnostics, Span, Spanned};
use pumice_yaml::Map;
use serde::Serialize;

/// One request to run a definition on a device (lava-compat 1.1).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// `job_name`, 1 to 200 characters.
    pub name: Spanned<String>,
    /// The class of device it needs. Absent in a MultiNode job that is not split yet: there each role has one.
    pub device_type: Option<Spanned<String>>,
    /// One certain device.
    pub device: Option<Spanned<String>>,
    /// One certain worker.
    pub worker: Option<Spanned<String>>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Its place in the queue.
    pub priority: Priority,
    /// Who may see it.
    pub visibility: Visibility,
    /// Variables for the templates of the device: scalars and lists of scalars.
    pub context: Map,
    /// Free-form facts about the job.
    pub metadata: Map,
    /// Variables of the test shell on the DUT.
    pub environment: Vec<Variable>,
    /// What must not be shown.
    pub secrets: Secrets,
    /// Whom to tell.
    pub notify: Option<Notify>,
    /// What the device must be tagged with.
    pub tags: Vec<Spanned<String>>,
    /// The roles of a MultiNode job that is not split yet.
    pub multinode: Option<Multinode>,
    /// Which node of a MultiNode job this is, once it was split.
    pub node: Option<MultinodeNode>,
    /// The blocks, in order.
    pub actions: Vec<Action>,
    /// What a lab accepts on submission and nothing can run, as errors: planning refuses the job for them.
    pub defects: Diagnostics,
    /// The whole definition.
    pub span: Span,
}

/// A job's place in the queue: 0 (`low`) to 100 (`high`), by default 50 (`medium`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Priority(pub u8);

impl Priority {
    /// `low`
    pub const LOW: Self = Self(0);
    /// `medium`
    pub const MEDIUM: Self = Self(50);
    /// `high`
    pub const HIGH: Self = Self(100);
}

impl Default for Priority {
    fn default() -> Self {
        Self::MEDIUM
    }
}

/// Who may see a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Public,
    /// Who submitted it.
    Personal,
    /// Who is in all of these groups.
    Groups(Vec<Spanned<String>>),
}

/// A name and the text it stands for. The text is what Python's `str()` gives for the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// The name.
    pub name: Spanned<String>,
    /// The text.
    pub value: Spanned<String>,
}

//! The blocks of a job and what they have in common (lava-compat 1.3).

use std::{num::NonZeroU32, time::Duration};

use pumice_types::{Span, Spanned};
use pumice_yaml::Map;
use serde::Serialize;

use super::{Boot, Deploy, NamedTimeout, Test, Timeout};

/// One item of `actions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Bring files to where they are needed.
    Deploy(Box<Deploy>),
    /// Start the machine and log in.
    Boot(Box<Boot>),
    /// Run tests.
    Test(Box<Test>),
    /// Run a command that the device or the program offers by name.
    Command(Box<Command>),
}

impl Action {
    /// What all blocks have.
    pub fn block(&self) -> &Block {
        match self {
            Self::Deploy(deploy) => &deploy.block,
            Self::Boot(boot) => &boot.block,
            Self::Test(test) => &test.block,
            Self::Command(command) => &command.block,
        }
    }

    /// What all blocks have.
    pub fn block_mut(&mut self) -> &mut Block {
        match self {
            Self::Deploy(deploy) => &mut deploy.block,
            Self::Boot(boot) => &mut boot.block,
            Self::Test(test) => &mut test.block,
            Self::Command(command) => &mut command.block,
        }
    }

    /// `deploy`, `boot`, `test` or `command`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "deploy",
            Self::Boot(_) => "boot",
            Self::Test(_) => "test",
            Self::Command(_) => "command",
        }
    }
}

/// What all blocks have.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Block {
    /// The word that begins it (`deploy`, `boot`, …).
    #[serde(skip)]
    pub word_span: Span,
    /// The whole mapping behind that word.
    #[serde(skip)]
    pub span: Span,
    /// The name of the machine it works on. Either all blocks have one or none.
    pub namespace: Option<Spanned<String>>,
    /// The machine whose console it uses instead of its own.
    pub connection_namespace: Option<Spanned<String>>,
    /// What is asked of a protocol when an action of a certain name starts.
    pub protocols: Vec<ProtocolRequest>,
    /// The roles of a MultiNode job that it is for.
    pub roles: Vec<Spanned<String>>,
    /// How long it, and each action in it, may take.
    pub timeout: Option<Timeout>,
    /// Actions in it by name.
    pub timeouts: Vec<NamedTimeout>,
    /// How long every console may be silent. An extension.
    pub inactivity: Option<Timeout>,
    /// Run it that often, whatever comes of it.
    pub repeat: Option<Spanned<NonZeroU32>>,
    /// Try it that often, until it works.
    pub failure_retry: Option<Spanned<NonZeroU32>>,
    /// How long to wait between tries; by default one second.
    pub failure_retry_interval: Option<Spanned<Duration>>,
}

impl Block {
    /// The namespace, `common` when none is written.
    pub fn namespace(&self) -> &str {
        self.namespace.as_ref().map_or("common", |namespace| namespace.value.as_str())
    }

    /// Whose console it uses.
    pub fn console_namespace(&self) -> &str {
        self.connection_namespace
            .as_ref()
            .map_or_else(|| self.namespace(), |namespace| namespace.value.as_str())
    }
}

/// One request of `protocols` in a block: done when the action with this name starts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProtocolRequest {
    /// `lava-multinode` or `lava-xnbd`.
    pub protocol: Spanned<String>,
    /// The name of the action.
    pub action: Spanned<String>,
    /// `lava-send`, `lava-sync`, `lava-wait`, `lava-wait-all` or `lava-start`.
    pub request: Spanned<String>,
    /// What is sent or waited for.
    pub message_id: Option<Spanned<String>>,
    /// What is sent with it, or (a value `$name`) what is taken from it.
    pub message: Map,
    /// Whose message is waited for: `role`, or `expect_role` of `lava-start`.
    pub role: Option<Spanned<String>>,
    /// How long.
    pub timeout: Option<Timeout>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// A `command` block: something the program or the device offers by name (lava-compat 1.7).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Command {
    /// What all blocks have.
    pub block: Block,
    /// `power_on`, `hard_reset`, … or a key of the device's `commands.users`.
    pub name: Spanned<String>,
}

//! A device as a worker receives it: rendered YAML, read into a typed value (lava-compat 2.4).

mod read;

use std::{collections::BTreeMap, time::Duration};

use pumice_types::Spanned;
use pumice_yaml::Node;

use crate::HostShare;

/// A device.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its name in the lab.
    pub hostname: String,
    /// Its type.
    pub device_type: String,
    /// Pauses between characters typed.
    pub character_delays: CharacterDelays,
    /// Prompts, messages and paths.
    pub constants: Constants,
    /// Commands the operator allows on the host.
    pub commands: Commands,
    /// `timeouts.actions`.
    pub action_timeouts: BTreeMap<String, Duration>,
    /// `timeouts.connections`.
    pub connection_timeouts: BTreeMap<String, Duration>,
    /// Variables of the test shell.
    pub environment: BTreeMap<String, String>,
    /// `device_info`: facts about the board, exported to the test shell.
    pub device_info: Vec<BTreeMap<String, String>>,
    /// `static_info`: facts that also fill `{KEY}` in URLs.
    pub static_info: Vec<BTreeMap<String, String>>,
    /// `storage_info`.
    pub storage_info: Vec<BTreeMap<String, String>>,
    /// The values `context.arch` may have; empty when the device does not say.
    pub available_architectures: Vec<String>,
    /// How many times slower than usual it is; 1 for most.
    pub time_factor: u32,
    /// The model of the model library that it is, where it is one (ours, not LAVA's).
    pub model: Option<Spanned<String>>,
    /// Its network, in the one description that all platforms share (ours, not LAVA's).
    pub network: Option<Node>,
    /// The licence seats it needs, by the names of the operator's configuration (ours, not LAVA's).
    pub licences: Vec<String>,
    /// What a machine of it takes of its host, where it says so (ours, not LAVA's).
    pub host: Option<HostShare>,
    /// The whole device as it was written.
    pub node: Node,
}

/// Pauses between characters typed, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CharacterDelays {
    /// In deploy blocks.
    pub deploy_ms: u64,
    /// In boot blocks.
    pub boot_ms: u64,
    /// In test blocks, and before each signal on a console.
    pub test_ms: u64,
}

/// Prompts, messages and paths that a device may set (`constants`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constants {
    /// What the kernel says first, a pattern.
    pub kernel_start_message: String,
    /// The prompt of a shell when the job names none.
    pub default_shell_prompt: String,
    /// What is said when the system goes down.
    pub shutdown_message: Option<String>,
    /// The shell of the helpers; `None` when the device leaves it to the distribution.
    pub test_shell: Option<String>,
    /// The overlay's directory in the guest, `%s` for the job; `None` when left to the distribution.
    pub results_dir: Option<String>,
    /// Tries of a boot that does not say its own (`boot_retry`).
    pub boot_retry: Option<u32>,
    /// Tries of a deploy that does not say its own (`failure_retry`).
    pub failure_retry: Option<u32>,
    /// Patterns by which boot loaders say that they failed.
    pub bootloader_errors: Vec<String>,
}

impl Default for Constants {
    /// LAVA's defaults (lava-compat 2.4).
    fn default() -> Self {
        Self {
            kernel_start_message: "Linux version [0-9]".to_owned(),
            default_shell_prompt: "lava-test: # ".to_owned(),
            shutdown_message: None,
            test_shell: None,
            results_dir: None,
            boot_retry: None,
            failure_retry: None,
            bootloader_errors: Vec::new(),
        }
    }
}

/// Commands the operator allows on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Further consoles by name.
    pub connections: BTreeMap<String, Connection>,
    /// Commands a job may run by name.
    pub users: BTreeMap<String, UserCommand>,
    /// Built-in names (`hard_reset`, `power_on`, …) and what they run; a list runs in order.
    pub named: BTreeMap<String, Vec<String>>,
}

/// A further console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The command that connects it.
    pub connect: String,
    /// `primary`, `telnet`, `ssh`, …
    pub tags: Vec<String>,
}

/// A command a job may run by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCommand {
    /// What it runs.
    pub run: String,
    /// What is run in clean-up; empty for nothing.
    pub undo: String,
}

impl Device {
    /// The device's own part for a way to deploy; null when it has the method and says nothing of it.
    pub fn deploy_method(&self, name: &str) -> Option<&Node> {
        self.node.at(&["actions", "deploy", "methods", name])
    }

    /// The device's own part for a way to boot; null when it has the method and says nothing of it.
    pub fn boot_method(&self, name: &str) -> Option<&Node> {
        self.node.at(&["actions", "boot", "methods", name])
    }

    /// The same machine for a role that is a connection to it: reached over SSH, and nothing else (lava-compat 5.1).
    /// Conventions of the guest and pauses are the machine's own; power, simulator and network are its host role's.
    #[must_use]
    pub fn reached_over_ssh(self) -> Self {
        let ssh = self.deploy_method("ssh").map(Node::to_json).filter(serde_json::Value::is_object);
        let node = serde_json::json!({"actions": {
            "deploy": {"methods": {"ssh": ssh.unwrap_or_else(|| serde_json::json!({})), "overlay": null}},
            "boot": {"methods": {"ssh": null}},
        }});
        Self {
            commands: Commands { connections: self.commands.connections, ..Commands::default() },
            available_architectures: Vec::new(),
            model: None,
            network: None,
            licences: Vec::new(),
            host: None,
            node: Node::from_json(&node),
            ..self
        }
    }

    /// The names of its ways to boot.
    pub fn boot_methods(&self) -> Vec<&str> {
        let methods = self.node.at(&["actions", "boot", "methods"]).and_then(Node::as_map);
        methods.map(|map| map.keys().collect()).unwrap_or_default()
    }

    /// The options for containers of tests: `actions.test.methods.docker`, `global_options` and `options`.
    pub fn container_options(&self, key: &str) -> Vec<String> {
        let items = self.node.at(&["actions", "test", "methods", "docker", key]).and_then(Node::as_seq);
        items
            .unwrap_or_default()
            .iter()
            .filter(|item| !item.is_null())
            .filter_map(Node::scalar_text)
            .collect()
    }
}

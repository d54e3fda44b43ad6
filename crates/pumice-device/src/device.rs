//! A device as a worker receives it: rendered YAML, read into a typed value (lava-compat 2.4).

use std::{collections::BTreeMap, time::Duration};

use pumice_types::{Code, Diagnostic, Diagnostics};
use pumice_yaml::Node;

/// A value of the wrong kind.
const WRONG_TYPE: Code = Code("wrong-type");

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
    /// Reads a rendered device, with every mistake. What is wrong is left at its default.
    pub fn read(node: &Node) -> (Self, Diagnostics) {
        let mut reader = Reader { diagnostics: Diagnostics::new() };
        let device = reader.device(node);
        (device, reader.diagnostics)
    }

    /// The device's own part for a way to deploy; null when it has the method and says nothing of it.
    pub fn deploy_method(&self, name: &str) -> Option<&Node> {
        self.node.at(&["actions", "deploy", "methods", name])
    }

    /// The device's own part for a way to boot; null when it has the method and says nothing of it.
    pub fn boot_method(&self, name: &str) -> Option<&Node> {
        self.node.at(&["actions", "boot", "methods", name])
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

struct Reader {
    diagnostics: Diagnostics,
}

impl Reader {
    fn wrong(&mut self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", node.kind());
        self.diagnostics.push(Diagnostic::error(WRONG_TYPE, node.span, message));
    }

    fn device(&mut self, node: &Node) -> Device {
        if node.as_map().is_none() {
            self.wrong(node, "a mapping with the device's keys");
        }
        let text = |path: &[&str]| node.at(path).filter(|node| !node.is_null()).and_then(Node::scalar_text);
        let delay = |name| node.at(&["character_delays", name]).and_then(Node::as_i64);
        let delay = |name| delay(name).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
        let type_name = text(&["device_type"]).filter(|text| !text.is_empty());
        Device {
            hostname: text(&["hostname"]).unwrap_or_default(),
            device_type: type_name.or_else(|| text(&["devicetype"])).unwrap_or_default(),
            character_delays: CharacterDelays {
                deploy_ms: delay("deploy"),
                boot_ms: delay("boot"),
                test_ms: delay("test"),
            },
            constants: self.constants(node),
            commands: self.commands(node),
            action_timeouts: self.timeouts(node.at(&["timeouts", "actions"])),
            connection_timeouts: self.timeouts(node.at(&["timeouts", "connections"])),
            environment: self.variables(node.get("environment")),
            device_info: self.infos(node.get("device_info")),
            static_info: self.infos(node.get("static_info")),
            storage_info: self.infos(node.get("storage_info")),
            available_architectures: self.texts(node.get("available_architectures")),
            time_factor: node
                .get("time_factor")
                .and_then(Node::as_i64)
                .and_then(|factor| u32::try_from(factor).ok())
                .unwrap_or(1)
                .max(1),
            node: node.clone(),
        }
    }

    fn constants(&mut self, node: &Node) -> Constants {
        let defaults = Constants::default();
        let Some(constants) = node.get("constants").filter(|node| !node.is_null()) else { return defaults };
        let text =
            |path: &[&str]| constants.at(path).filter(|node| !node.is_null()).and_then(Node::scalar_text);
        let count = |name| constants.get(name).and_then(Node::as_i64).and_then(|n| u32::try_from(n).ok());
        let errors = constants.as_map().into_iter().flat_map(|map| map.iter());
        let errors = errors.filter_map(|entry| entry.value.get("error-messages")).collect::<Vec<_>>();
        Constants {
            kernel_start_message: text(&["kernel-start-message"]).unwrap_or(defaults.kernel_start_message),
            default_shell_prompt: text(&["default-shell-prompt"]).unwrap_or(defaults.default_shell_prompt),
            shutdown_message: text(&["shutdown-message"]),
            test_shell: text(&["posix", "lava_test_sh_cmd"]),
            results_dir: text(&["posix", "lava_test_results_dir"]),
            boot_retry: count("boot_retry"),
            failure_retry: count("failure_retry"),
            bootloader_errors: errors.into_iter().flat_map(|node| self.texts(Some(node))).collect(),
        }
    }

    fn commands(&mut self, node: &Node) -> Commands {
        let mut commands = Commands::default();
        let Some(map) = node.get("commands").and_then(Node::as_map) else { return commands };
        for entry in map {
            match entry.key.as_str() {
                "connect" => {
                    let connect = entry.value.scalar_text().unwrap_or_default();
                    let tags = vec!["primary".to_owned()];
                    commands.connections.insert("serial".to_owned(), Connection { connect, tags });
                }
                "connections" => {
                    for connection in entry.value.as_map().into_iter().flatten() {
                        let connect = connection.value.get("connect").and_then(Node::scalar_text);
                        let tags = self.texts(connection.value.get("tags"));
                        let connect = connect.unwrap_or_default();
                        commands.connections.insert(connection.key.clone(), Connection { connect, tags });
                    }
                }
                "users" => {
                    for user in entry.value.as_map().into_iter().flatten() {
                        let text = |key| user.value.get(key).and_then(Node::scalar_text).unwrap_or_default();
                        let command = UserCommand { run: text("do"), undo: text("undo") };
                        commands.users.insert(user.key.clone(), command);
                    }
                }
                _ if entry.value.is_null() => {}
                name => {
                    let list = entry.value.as_seq().map_or_else(
                        || entry.value.scalar_text().into_iter().collect(),
                        |items| items.iter().filter_map(Node::scalar_text).collect(),
                    );
                    commands.named.insert(name.to_owned(), list);
                }
            }
        }
        commands
    }

    fn timeouts(&mut self, node: Option<&Node>) -> BTreeMap<String, Duration> {
        let mut timeouts = BTreeMap::new();
        for entry in node.and_then(Node::as_map).into_iter().flatten() {
            if let Some(duration) = self.duration(&entry.value) {
                timeouts.insert(entry.key.clone(), duration);
            }
        }
        timeouts
    }

    /// The sum of the units, as LAVA sums them (lava-compat 1.2).
    fn duration(&mut self, node: &Node) -> Option<Duration> {
        let Some(map) = node.as_map() else {
            self.wrong(node, "a mapping such as `{minutes: 2}`");
            return None;
        };
        let mut seconds = 0_u64;
        for entry in map {
            let unit = match entry.key.as_str() {
                "days" => 86_400,
                "hours" => 3_600,
                "minutes" => 60,
                "seconds" => 1,
                _ => continue,
            };
            let Some(number) = entry.value.as_i64().and_then(|number| u64::try_from(number).ok()) else {
                self.wrong(&entry.value, "a whole number, zero or more");
                continue;
            };
            seconds = seconds.saturating_add(number.saturating_mul(unit));
        }
        Some(Duration::from_secs(seconds))
    }

    /// Values as the test shell sees them: a boolean is 1 or 0 (lava-compat 4.5).
    fn variables(&mut self, node: Option<&Node>) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for entry in node.and_then(Node::as_map).into_iter().flatten() {
            let text = match entry.value.as_bool() {
                Some(value) => Some(u8::from(value).to_string()),
                None => entry.value.scalar_text(),
            };
            match text {
                Some(text) => {
                    variables.insert(entry.key.clone(), text);
                }
                None => self.wrong(&entry.value, "a string or a number"),
            }
        }
        variables
    }

    fn infos(&mut self, node: Option<&Node>) -> Vec<BTreeMap<String, String>> {
        let items = node.and_then(Node::as_seq).unwrap_or_default();
        items.iter().filter(|item| !item.is_null()).map(|item| self.variables(Some(item))).collect()
    }

    fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        let items = node.and_then(Node::as_seq).unwrap_or_default();
        items.iter().filter(|item| !item.is_null()).filter_map(Node::scalar_text).collect()
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::SourceId;

    use super::*;

    #[test]
    fn a_rendered_device_is_read_where_the_dispatcher_reads_it() {
        let text = "
hostname: q1
devicetype: qemu
character_delays: {test: 50}
constants: {posix: {lava_test_sh_cmd: /bin/sh}, u-boot: {error-messages: [oops, null]}}
commands: {connect: telnet localhost 5000, hard_reset: [a, b], power_on: null, users: {x: {do: run, undo: un}}}
timeouts: {actions: {power-off: {seconds: 10}, boot: {minutes: 2, seconds: 5}}}
environment: {FLAG: true, N: 3}
actions: {boot: {methods: {minimal: null}}, test: {methods: {docker: {options: [null]}}}}
";
        let (node, _) = pumice_yaml::parse(text, SourceId(0));
        let (device, diagnostics) = Device::read(&node.unwrap());
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!((device.hostname.as_str(), device.device_type.as_str()), ("q1", "qemu"));
        assert_eq!(device.character_delays.test_ms, 50);
        assert_eq!(device.constants.bootloader_errors, ["oops"]);
        assert_eq!(device.constants.kernel_start_message, "Linux version [0-9]");
        assert_eq!(device.commands.named["hard_reset"], ["a", "b"]);
        assert!(!device.commands.named.contains_key("power_on"));
        assert_eq!(device.commands.users["x"].undo, "un");
        assert_eq!(device.action_timeouts["boot"], Duration::from_secs(125));
        assert_eq!(device.environment["FLAG"], "1");
        assert_eq!(device.boot_methods(), ["minimal"]);
        assert!(device.container_options("options").is_empty());
    }
}

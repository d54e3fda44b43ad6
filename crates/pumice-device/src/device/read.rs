//! From a tree to a [`Device`].

use pumice_types::{Diagnostics, Spanned};
use pumice_yaml::Node;

use super::{CharacterDelays, Commands, Connection, Constants, Device, UserCommand};
use crate::{reader::Reader, share};

impl Device {
    /// Reads a rendered device, with every mistake. What is wrong is left at its default. Keys that no part of
    /// ours reads are kept in [`Device::node`] and are no mistakes: devices carry much that concerns boards.
    pub fn read(node: &Node) -> (Self, Diagnostics) {
        let mut reader = Reader::default();
        if node.as_map().is_none() {
            reader.wrong(node, "a mapping with the device's keys");
        }
        let device_type = reader.text(node.get("device_type")).filter(|text| !text.is_empty());
        let old_name = reader.text(node.get("devicetype"));
        let model = reader.text(node.get("model"));
        let device = Self {
            hostname: reader.text(node.get("hostname")).unwrap_or_default(),
            device_type: device_type.or(old_name).unwrap_or_default(),
            character_delays: character_delays(&mut reader, node),
            constants: constants(&mut reader, node.get("constants")),
            commands: commands(&mut reader, node.get("commands")),
            action_timeouts: reader.durations(node.at(&["timeouts", "actions"])),
            connection_timeouts: reader.durations(node.at(&["timeouts", "connections"])),
            environment: reader.variables(node.get("environment")),
            device_info: infos(&mut reader, node.get("device_info")),
            static_info: infos(&mut reader, node.get("static_info")),
            storage_info: infos(&mut reader, node.get("storage_info")),
            available_architectures: reader.texts(node.get("available_architectures")),
            time_factor: reader.small_count(node.get("time_factor")).unwrap_or(1).max(1),
            model: model.zip(node.get("model")).map(|(name, node)| Spanned::new(name, node.span)),
            network: node.get("network").filter(|node| !node.is_null()).cloned(),
            licences: reader.texts(node.get("licences")),
            host: share::read(&mut reader, node.get("host")),
            node: node.clone(),
        };
        (device, reader.diagnostics)
    }
}

fn character_delays(reader: &mut Reader, node: &Node) -> CharacterDelays {
    let mut delay = |name| reader.count(node.at(&["character_delays", name])).unwrap_or(0);
    CharacterDelays { deploy_ms: delay("deploy"), boot_ms: delay("boot"), test_ms: delay("test") }
}

fn constants(reader: &mut Reader, node: Option<&Node>) -> Constants {
    let defaults = Constants::default();
    let Some(node) = node.filter(|node| !node.is_null()) else { return defaults };
    let mut bootloader_errors = Vec::new();
    for entry in reader.entries(Some(node), "a mapping of constants") {
        for message in reader.texts(entry.value.get("error-messages")) {
            // Boot loaders of one family have the same.
            if !bootloader_errors.contains(&message) {
                bootloader_errors.push(message);
            }
        }
    }
    let mut text = |path: &[&str]| reader.text(node.at(path));
    Constants {
        kernel_start_message: text(&["kernel-start-message"]).unwrap_or(defaults.kernel_start_message),
        default_shell_prompt: text(&["default-shell-prompt"]).unwrap_or(defaults.default_shell_prompt),
        shutdown_message: text(&["shutdown-message"]),
        test_shell: text(&["posix", "lava_test_sh_cmd"]),
        results_dir: text(&["posix", "lava_test_results_dir"]),
        boot_retry: reader.small_count(node.get("boot_retry")),
        failure_retry: reader.small_count(node.get("failure_retry")),
        bootloader_errors,
    }
}

fn commands(reader: &mut Reader, node: Option<&Node>) -> Commands {
    let mut commands = Commands::default();
    for entry in reader.entries(node, "a mapping of commands") {
        match entry.key.as_str() {
            "connect" => {
                let connect = reader.text(Some(&entry.value)).unwrap_or_default();
                let tags = vec!["primary".to_owned()];
                commands.connections.insert("serial".to_owned(), Connection { connect, tags });
            }
            "connections" => {
                for connection in reader.entries(Some(&entry.value), "a mapping of names to connections") {
                    let connect = reader.text(connection.value.get("connect")).unwrap_or_default();
                    let tags = reader.texts(connection.value.get("tags"));
                    commands.connections.insert(connection.key.clone(), Connection { connect, tags });
                }
            }
            "users" => {
                for user in reader.entries(Some(&entry.value), "a mapping of names to `{do: …, undo: …}`")
                {
                    let mut text = |key| reader.text(user.value.get(key)).unwrap_or_default();
                    let command = UserCommand { run: text("do"), undo: text("undo") };
                    commands.users.insert(user.key.clone(), command);
                }
            }
            _ if entry.value.is_null() => {}
            // `must_use_connection` and whatever else is no command is kept with the rest, in the tree.
            _ if entry.value.as_bool().is_some() => {}
            name => {
                let list = if entry.value.as_seq().is_some() {
                    reader.texts(Some(&entry.value))
                } else {
                    reader.text(Some(&entry.value)).into_iter().collect()
                };
                commands.named.insert(name.to_owned(), list);
            }
        }
    }
    commands
}

fn infos(reader: &mut Reader, node: Option<&Node>) -> Vec<std::collections::BTreeMap<String, String>> {
    let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
    let Some(items) = node.as_seq() else {
        reader.wrong(node, "a list of mappings");
        return Vec::new();
    };
    items.iter().filter(|item| !item.is_null()).map(|item| reader.variables(Some(item))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pumice_types::SourceId;

    use super::*;

    fn read(text: &str) -> (Device, Diagnostics) {
        let (node, _) = pumice_yaml::parse(text, SourceId(0));
        Device::read(&node.unwrap())
    }

    #[test]
    fn a_rendered_device_is_read_where_the_dispatcher_reads_it() {
        let (device, diagnostics) = read(
            "
hostname: q1
devicetype: qemu
character_delays: {test: 50}
constants: {posix: {lava_test_sh_cmd: /bin/sh}, u-boot: {error-messages: [oops, null]}}
commands: {connect: telnet localhost 5000, hard_reset: [a, b], power_on: null, users: {x: {do: run, undo: un}}}
timeouts: {actions: {power-off: {seconds: 10}, boot: {minutes: 2, seconds: 5}}}
environment: {FLAG: true, N: 3}
actions: {boot: {methods: {minimal: null}}, test: {methods: {docker: {options: [null]}}}}
",
        );
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

    #[test]
    fn our_own_keys_are_read_and_keep_their_place() {
        let (device, diagnostics) =
            read("model: A15x1\ntime_factor: 20\nnetwork: {mode: tap}\nlicences: [fm]\nhost: {cores: 4}\n");
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let model = device.model.unwrap();
        assert_eq!((model.value.as_str(), model.span.start), ("A15x1", 7));
        assert_eq!(device.time_factor, 20);
        assert_eq!(device.licences, ["fm"]);
        assert_eq!(device.host, Some(crate::HostShare { cores: 4, memory_mib: 0 }));
        assert_eq!(device.network.unwrap().get("mode").and_then(Node::as_str), Some("tap"));
    }

    #[test]
    fn every_wrong_value_is_said_where_it_stands() {
        let text = "character_delays: {boot: fast}\nconstants: {boot_retry: -1}\ncommands: {users: [x]}\n\
                    timeouts: {actions: {boot: 5}}\nstatic_info: {a: 1}\n";
        let (_, diagnostics) = read(text);
        let marked: Vec<_> = diagnostics
            .sorted()
            .into_iter()
            .filter_map(|d| Some(&text[d.span?.start..d.span?.end]))
            .collect();
        assert_eq!(marked, ["fast", "-1", "[x]", "5", "{a: 1}"]);
    }

    #[test]
    fn a_connection_to_a_machine_has_its_way_over_ssh_and_no_power() {
        let text = "hostname: q1
commands: {power_off: x}
available_architectures: [arm64]
actions: {deploy: {methods: {ssh: {port: 2222, user: test}}}, boot: {methods: {qemu: {parameters: {}}}}}
";
        let (node, _) = pumice_yaml::parse(text, SourceId::default());
        let device = Device::read(&node.unwrap()).0.reached_over_ssh();
        assert_eq!(device.boot_methods(), ["ssh"]);
        let port = device.deploy_method("ssh").and_then(|ssh| ssh.get("port")).and_then(Node::as_i64);
        assert_eq!((port, device.hostname.as_str()), (Some(2222), "q1"));
        assert!(device.commands.named.is_empty() && device.available_architectures.is_empty());
        assert_eq!(Device::default().reached_over_ssh().boot_methods(), ["ssh"]);
    }
}

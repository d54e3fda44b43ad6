//! What a rendered device may say, as one table: for editors, and as a JSON Schema (draft 2020-12,
//! <https://json-schema.org/draft/2020-12>). [`Device::read`](crate::Device::read) reads these keys; a test holds the table
//! against it, key by key. Every other key is kept and means nothing to us, so that the schema allows it.

use serde_json::{Map, Value as Json, json};

/// What may stand under a key. Null, which templates leave where they have nothing to say, may stand everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A string, or a number or boolean that is read as one.
    Text,
    /// A whole number, zero or more.
    Count,
    /// A list of texts.
    Texts,
    /// One text or a list of them.
    TextOrTexts,
    /// Names and values.
    Variables,
    /// Names and durations such as `{minutes: 2}`.
    Durations,
    /// A mapping of known keys, and others.
    Keys(&'static [Key]),
    /// A mapping of names that the operator chose.
    Named(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// A mapping that each platform reads in its own way.
    Mapping,
}

/// A key of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc }
}

const CONNECTION: Shape = Shape::Keys(&[
    key("connect", Shape::Text, "The command that connects it."),
    key("tags", Shape::Texts, "What it is: `primary`, `telnet`, `ssh`."),
]);

const USER_COMMAND: Shape = Shape::Keys(&[
    key("do", Shape::Text, "What runs on the host."),
    key("undo", Shape::Text, "What is run in clean-up."),
]);

const METHODS: Shape = Shape::Keys(&[
    key("methods", Shape::Mapping, "The methods it has, each with its own part."),
    key("connections", Shape::Mapping, "The ways it is connected."),
]);

/// The keys of a device (lava-compat 2.4, and ours).
pub(crate) const DEVICE: &[Key] = &[
    key("hostname", Shape::Text, "Its name in the lab."),
    key("device_type", Shape::Text, "Its type."),
    key("devicetype", Shape::Text, "The old name of `device_type`."),
    key("model", Shape::Text, "The entry of the model library that it is. An extension of Pumice."),
    key("network", Shape::Mapping, "Its network, described for every simulator. An extension of Pumice."),
    key(
        "time_factor",
        Shape::Count,
        "How many times slower than usual it is; timeouts that the job does not set are multiplied. An extension of Pumice.",
    ),
    key("licences", Shape::Texts, "The counted licences a run takes a seat of. An extension of Pumice."),
    key(
        "host",
        Shape::Keys(&[
            key("cores", Shape::Count, "Processor cores; 1 where nothing is said."),
            key("memory_mib", Shape::Count, "Memory in MiB; not counted where nothing is said."),
        ]),
        "What a run takes of its host, as a lab counts it. An extension of Pumice.",
    ),
    key("available_architectures", Shape::Texts, "The values that a job's `context.arch` may have."),
    key(
        "character_delays",
        Shape::Keys(&[
            key("deploy", Shape::Count, "Milliseconds between typed characters in deploy blocks."),
            key("boot", Shape::Count, "Milliseconds between typed characters in boot blocks."),
            key("test", Shape::Count, "Milliseconds between typed characters in test blocks."),
        ]),
        "Pauses between typed characters.",
    ),
    key(
        "constants",
        Shape::Keys(&[
            key("kernel-start-message", Shape::Text, "What the kernel says first, a pattern."),
            key("default-shell-prompt", Shape::Text, "The prompt of a shell when the job names none."),
            key("shutdown-message", Shape::Text, "What is said when the system goes down."),
            key("boot_retry", Shape::Count, "Tries of a boot that does not say its own."),
            key("failure_retry", Shape::Count, "Tries of a deploy that does not say its own."),
            key(
                "posix",
                Shape::Keys(&[
                    key("lava_test_sh_cmd", Shape::Text, "The shell of the helpers."),
                    key("lava_test_results_dir", Shape::Text, "The overlay's directory, `%s` for the job."),
                ]),
                "Paths in the guest.",
            ),
        ]),
        "Prompts, messages and paths.",
    ),
    key(
        "commands",
        Shape::Keys(&[
            key("connect", Shape::Text, "Connects the main console."),
            key("connections", Shape::Named(&CONNECTION), "Further consoles by name."),
            key("users", Shape::Named(&USER_COMMAND), "Commands a job may run by name."),
            key("hard_reset", Shape::TextOrTexts, "Resets it."),
            key("soft_reboot", Shape::TextOrTexts, "Reboots it from its own shell."),
            key("power_on", Shape::TextOrTexts, "Turns it on."),
            key("power_off", Shape::TextOrTexts, "Turns it off."),
            key("pre_power_command", Shape::TextOrTexts, "Runs before it is turned on."),
            key("pre_os_command", Shape::TextOrTexts, "Runs before its system boots."),
        ]),
        "Commands the operator allows on the host.",
    ),
    key(
        "timeouts",
        Shape::Keys(&[
            key("actions", Shape::Durations, "Timeouts of actions by name."),
            key("connections", Shape::Durations, "Timeouts of waits of actions by name."),
        ]),
        "Timeouts that a job may override.",
    ),
    key("environment", Shape::Variables, "Variables of the test shell."),
    key("device_info", Shape::List(&Shape::Variables), "Facts about it, exported to the test shell."),
    key("static_info", Shape::List(&Shape::Variables), "Facts that also fill `{KEY}` in URLs."),
    key("storage_info", Shape::List(&Shape::Variables), "Its disks, exported to the test shell."),
    key("parameters", Shape::Mapping, "Addresses and the like that boot methods read."),
    key(
        "actions",
        Shape::Keys(&[
            key("deploy", METHODS, "How images come to it."),
            key("boot", METHODS, "How it boots."),
            key("test", METHODS, "How tests run on it."),
        ]),
        "What it can do.",
    ),
];

/// The JSON Schema of a rendered device.
pub fn schema() -> Json {
    let mut root = match value(Shape::Keys(DEVICE)) {
        Json::Object(map) => map,
        _ => Map::new(),
    };
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("LAVA device as a worker receives it, as Pumice reads it"));
    root.insert("type".to_owned(), json!("object"));
    Json::Object(root)
}

fn value(shape: Shape) -> Json {
    let scalar = ["string", "number", "boolean", "null"];
    let duration = || {
        let units =
            ["days", "hours", "minutes", "seconds"].map(|unit| (unit.to_owned(), value(Shape::Count)));
        json!({ "type": "object", "properties": units.into_iter().collect::<Map<_, _>>() })
    };
    match shape {
        Shape::Text => json!({ "type": scalar }),
        Shape::Count => json!({ "type": ["integer", "null"], "minimum": 0 }),
        Shape::Texts => json!({ "type": ["array", "null"], "items": value(Shape::Text) }),
        Shape::TextOrTexts => {
            json!({ "type": ["string", "number", "boolean", "array", "null"], "items": value(Shape::Text) })
        }
        Shape::Variables => {
            json!({ "type": ["object", "null"], "additionalProperties": { "type": ["string", "number", "boolean"] } })
        }
        Shape::Durations => json!({ "type": ["object", "null"], "additionalProperties": duration() }),
        Shape::Named(inner) => json!({ "type": ["object", "null"], "additionalProperties": value(*inner) }),
        Shape::List(inner) => json!({ "type": ["array", "null"], "items": value(*inner) }),
        Shape::Mapping => json!({ "type": ["object", "null"] }),
        Shape::Keys(keys) => {
            let described = |key: &Key| {
                let mut made = value(key.shape);
                made["description"] = json!(key.doc);
                (key.name.to_owned(), made)
            };
            let properties: Map<String, Json> = keys.iter().map(described).collect();
            json!({ "type": ["object", "null"], "properties": properties })
        }
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::SourceId;

    use super::*;
    use crate::Device;

    /// Text of a device with a value of the wrong kind under `path`.
    fn with_wrong(path: &[&str], shape: Shape) -> Option<String> {
        let wrong = match shape {
            Shape::Text | Shape::TextOrTexts => "{a: b}",
            Shape::Count => "fast",
            Shape::Texts => "{a: [b]}",
            Shape::Variables => "[a]",
            Shape::Durations | Shape::Named(_) | Shape::List(_) | Shape::Keys(_) => "a b",
            // Read by a platform, when a job uses it.
            Shape::Mapping => return None,
        };
        let open = path.iter().fold(String::new(), |open, key| open + "{" + key + ": ");
        Some(format!("{open}{wrong}{}", "}".repeat(path.len())))
    }

    fn walk(keys: &'static [Key], path: &mut Vec<&'static str>, wrong: &mut Vec<String>) {
        for key in keys {
            path.push(key.name);
            if let Shape::Keys(inner) = key.shape {
                walk(inner, path, wrong);
            } else if let Some(text) = with_wrong(path, key.shape) {
                wrong.push(text);
            }
            path.pop();
        }
    }

    #[test]
    fn every_key_of_the_table_is_read() {
        let mut wrong = Vec::new();
        walk(DEVICE, &mut Vec::new(), &mut wrong);
        assert!(wrong.len() > 30, "{wrong:?}");
        for text in wrong {
            let (node, _) = pumice_yaml::parse(&text, SourceId(0));
            let (_, diagnostics) = Device::read(&node.unwrap());
            assert!(diagnostics.has_errors(), "nobody minds {text}");
        }
    }
}

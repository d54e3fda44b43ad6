//! What a YAML file of a person's is. Nothing in its name says so: jobs, test definitions and devices all end in `.yaml`.

use pumice_yaml::{Node, Value};

/// Keys that only test definitions have at the top.
const OF_TEST_DEFINITIONS: [&str; 4] = ["run", "install", "parse", "expected"];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A job definition; also what cannot be told.
    Job,
    /// A test definition in a file of its own.
    TestDefinition,
    /// A device, rendered or a dictionary.
    Device,
}

impl Kind {
    /// Of a text with this tree. A job's `actions` are a list, a device's a mapping; a test definition has none.
    pub(crate) fn of(tree: &Node) -> Self {
        let has = |key: &str| tree.get(key).is_some();
        match tree.get("actions").map(|actions| &actions.value) {
            Some(Value::Map(_)) => return Self::Device,
            None if !has("job_name") => {}
            _ => return Self::Job,
        }
        let is_test = OF_TEST_DEFINITIONS.into_iter().any(has) || tree.at(&["metadata", "format"]).is_some();
        if is_test { Self::TestDefinition } else { Self::Job }
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::SourceId;

    use super::*;

    #[test]
    fn a_file_is_told_by_its_keys() {
        for (text, expected) in [
            ("job_name: a\nactions: []\n", Kind::Job),
            ("job_name: a\nmetadata: {format: x}\n", Kind::Job),
            ("actions:\n- boot: {method: minimal}\n", Kind::Job),
            ("metadata: {format: Lava-Test Test Definition 1.0, name: a}\n", Kind::TestDefinition),
            ("run: {steps: [ls]}\n", Kind::TestDefinition),
            ("hostname: a\nactions: {boot: {methods: {minimal: null}}}\n", Kind::Device),
            ("anything: else\n", Kind::Job),
            ("- a\n", Kind::Job),
        ] {
            let (tree, _) = pumice_yaml::parse(text, SourceId(0));
            assert_eq!(Kind::of(&tree.unwrap()), expected, "{text}");
        }
    }
}

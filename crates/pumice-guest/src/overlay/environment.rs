//! The variables of the `environment` file (lava-compat 4.1).

use pumice_yaml::Node;

use crate::shell;

/// Where the variables come from, in the order in which they are written: a later one wins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment<'a> {
    /// The device's `environment`.
    pub device: Option<&'a Node>,
    /// The device's `device_info`: a list of mappings.
    pub device_info: Option<&'a Node>,
    /// The device's `static_info`: a list of mappings.
    pub static_info: Option<&'a Node>,
    /// The device's `storage_info`: a list of mappings.
    pub storage_info: Option<&'a Node>,
    /// The job's `environment`.
    pub job: Option<&'a Node>,
    /// What the runner knows, for example `("LAVA_JOB_ID", "42")`.
    pub facts: &'a [(&'a str, String)],
}

impl Environment<'_> {
    /// The variables, names unique. What cannot be a variable of the shell is left out.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        add_mapping(&mut variables, "", self.device);
        for (prefix, list) in [
            ("LAVA_DEVICE_INFO", self.device_info),
            ("LAVA_STATIC_INFO", self.static_info),
            ("LAVA_STORAGE_INFO", self.storage_info),
        ] {
            for (index, item) in list.and_then(Node::as_seq).unwrap_or_default().iter().enumerate() {
                add_mapping(&mut variables, &format!("{prefix}_{index}_"), Some(item));
            }
        }
        add_mapping(&mut variables, "", self.job);
        for (name, value) in self.facts {
            add(&mut variables, (*name).to_owned(), value.clone());
        }
        variables
    }
}

/// The text of an environment value: booleans are 1 and 0, other scalars as Python prints them.
pub fn environment_value(node: &Node) -> Option<String> {
    node.as_bool().map(|value| u8::from(value).to_string()).or_else(|| node.scalar_text())
}

fn add_mapping(variables: &mut Vec<(String, String)>, prefix: &str, node: Option<&Node>) {
    for entry in node.and_then(Node::as_map).into_iter().flatten() {
        if let Some(value) = environment_value(&entry.value) {
            add(variables, format!("{prefix}{}", entry.key), value);
        }
    }
}

fn add(variables: &mut Vec<(String, String)>, name: String, value: String) {
    if shell::is_variable(&name) {
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value));
    }
}

//! Containers that a plan needs: the image as the job names it, and what the device lets it use.

use pumice_job::Container;
use pumice_yaml::Node;
use serde::Serialize;

/// A container that a step runs something in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerPlan {
    /// The image, its login, and what else the job says of it.
    pub container: Container,
    /// What the device lets it use.
    pub options: ContainerOptions,
}

/// What a device lets a container use: `options` of its boot method (lava-compat 2.5, `fvp.jinja2` and
/// `docker.jinja2`). They are the operator's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContainerOptions {
    /// Where the engine is, when it is not this host's.
    pub remote: Option<String>,
    /// How many processors it may use; `None` for no limit.
    pub cpus: Option<String>,
    /// How much memory it may use, `512m`; `None` for no limit.
    pub memory: Option<String>,
    /// Whether it may do everything on the host.
    pub privileged: bool,
    /// Single capabilities it has.
    pub capabilities: Vec<String>,
    /// Devices of the host that it may use.
    pub devices: Vec<String>,
    /// Networks it is on.
    pub networks: Vec<String>,
    /// Directories of the host that it sees, `SOURCE:TARGET[:OPTIONS]`.
    pub volumes: Vec<String>,
    /// More arguments of the engine's `run`.
    pub extra_arguments: Vec<String>,
}

impl ContainerOptions {
    /// Reads them. What is empty, zero or null is not set, as templates write it for "no limit".
    pub fn read(node: Option<&Node>) -> Self {
        let get = |key: &str| node.and_then(|node| node.get(key)).filter(|value| !value.is_null());
        let text = |key: &str| get(key).and_then(Node::scalar_text);
        let limit = |key: &str| {
            let set = text(key).filter(|text| !matches!(text.as_str(), "" | "None"));
            set.filter(|text| text.parse::<f64>().ok() != Some(0.0))
        };
        let list = |key: &str| -> Vec<String> {
            let items = get(key).and_then(Node::as_seq).unwrap_or_default().iter();
            items.filter(|item| !item.is_null()).filter_map(Node::scalar_text).collect()
        };
        Self {
            remote: text("remote").filter(|remote| !remote.is_empty()),
            cpus: limit("cpus"),
            memory: limit("memory"),
            privileged: get("privileged").and_then(Node::as_bool) == Some(true),
            capabilities: list("capabilities"),
            devices: list("devices"),
            networks: list("networks"),
            volumes: list("volumes"),
            extra_arguments: list("extra_arguments"),
        }
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::SourceId;

    use super::*;

    fn read(text: &str) -> ContainerOptions {
        ContainerOptions::read(pumice_yaml::parse(text, SourceId::default()).0.as_ref())
    }

    #[test]
    fn what_a_template_writes_for_nothing_is_not_set() {
        let text = "{remote: null, cpus: 0.0, memory: 0, privileged: false, devices: [null], networks: []}";
        assert_eq!(read(text), ContainerOptions::default());
        assert_eq!(read("{memory: '0', cpus: 0}"), ContainerOptions::default());
        assert_eq!(ContainerOptions::read(None), ContainerOptions::default());
    }

    #[test]
    fn what_the_operator_writes_is_kept() {
        let options =
            read("{cpus: 1.5, memory: 512m, privileged: true, devices: [/dev/kvm], volumes: ['/a:/b:ro']}");
        let expected = ContainerOptions {
            cpus: Some("1.5".to_owned()),
            memory: Some("512m".to_owned()),
            privileged: true,
            devices: vec!["/dev/kvm".to_owned()],
            volumes: vec!["/a:/b:ro".to_owned()],
            ..ContainerOptions::default()
        };
        assert_eq!(options, expected);
    }
}

//! A model in a container, where the operator has it in no other place (lava-compat 10.2).
//!
//! As LAVA does it, every deployed file is mounted into one directory. Unlike LAVA, the engine is given the model
//! and its arguments directly, behind an init process: no script, no shell, and a stop signal reaches the model
//! (fastmodels 8, complaint 22).

use std::{collections::BTreeMap, path::Path};

use pumice_plan::MachineSpec;
use pumice_platform::Bound;
use pumice_yaml::Node;

use crate::request::{ARTIFACT_DIR, Container, Request};

/// The container's name, which is also the directory of the files in it: unique on the host.
pub(crate) fn name(container: &Container, bound: &Bound) -> String {
    let own = container.name.as_ref().map(|name| format!("{name}-")).unwrap_or_default();
    format!("{own}pumice-{}", bound.instance)
}

/// The values of `{LABEL}` inside the container.
pub(crate) fn values(container: &Container, bound: &Bound) -> BTreeMap<String, String> {
    let directory = format!("/{}", name(container, bound));
    let files = bound.images.iter().filter_map(|(label, path)| {
        Some((label.to_uppercase(), format!("{directory}/{}", base_name(path)?)))
    });
    files.chain([(ARTIFACT_DIR.to_owned(), directory.clone())]).collect()
}

/// The engine's arguments up to and including the model's program.
pub(crate) fn arguments(
    container: &Container,
    request: &Request,
    spec: &MachineSpec,
    bound: &Bound,
    program: &str,
) -> Vec<String> {
    let name = name(container, bound);
    let mut words: Vec<String> =
        ["run", "--rm", "--init", "--interactive", "--tty", "--hostname", "lava", "--name", &name]
            .map(str::to_owned)
            .into();
    if container.is_local {
        words.push("--pull=never".to_owned());
    }
    for path in bound.images.values() {
        if let Some(file) = base_name(path) {
            words.extend(["--volume".to_owned(), format!("{}:/{name}/{file}", path.display())]);
        }
    }
    // Only the names: the engine takes the values from its own environment, where no process list shows them.
    for variable in request.environment.keys().chain(bound.licence_env.keys()) {
        words.extend(["--env".to_owned(), variable.clone()]);
    }
    let option = |key: &str| spec.device.at(&["options", key]);
    let cpus = option("cpus").and_then(Node::as_f64).filter(|cpus| *cpus > 0.0);
    words.extend(cpus.into_iter().flat_map(|cpus| ["--cpus".to_owned(), cpus.to_string()]));
    let memory = option("memory").and_then(Node::scalar_text);
    let memory = memory.filter(|memory| !matches!(memory.as_str(), "0" | "None" | ""));
    words.extend(memory.into_iter().flat_map(|memory| ["--memory".to_owned(), memory]));
    if option("privileged").and_then(Node::as_bool) == Some(true) {
        words.push("--privileged".to_owned());
    }
    let mut has_network = false;
    for (key, word) in [("devices", "--device"), ("networks", "--network"), ("volumes", "--volume")] {
        for item in option(key).and_then(Node::as_seq).unwrap_or_default() {
            has_network |= key == "networks";
            words.extend([word.to_owned(), item.scalar_text().unwrap_or_default()]);
        }
    }
    if !has_network {
        // So that the consoles it announces can be reached.
        words.push("--network=host".to_owned());
    }
    words.extend([container.image.clone(), program.to_owned()]);
    words
}

fn base_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

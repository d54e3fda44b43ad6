//! What a platform brings to the conformance suite.

use std::{collections::BTreeMap, path::PathBuf};

use pumice_plan::{GuestDisk, ImageSpec, MachineSpec};
use pumice_platform::Platform;
use pumice_types::{SourceId, Span, Spanned};
use pumice_yaml::Node;

/// A platform with a machine it can start.
pub struct Subject {
    /// The platform.
    pub platform: Box<dyn Platform>,
    /// A machine that says something on its main console by itself and then stays.
    pub spec: MachineSpec,
    /// Its files by label, as a deploy would have left them.
    pub images: BTreeMap<String, PathBuf>,
    /// What its main console says: a regular expression in Python's syntax.
    pub says: &'static str,
    /// A machine that cannot start.
    pub refusal: Refusal,
}

/// A machine whose program ends before, or soon after, its consoles are there.
pub struct Refusal {
    /// What the platform is asked for.
    pub spec: MachineSpec,
    /// Words the program says of it, which a person must find in the evidence.
    pub words: &'static str,
}

impl Subject {
    /// A file that is deployed under `label`, given to the machine by `image_arg` as a job would write it.
    #[must_use]
    pub fn image(mut self, label: &str, path: impl Into<PathBuf>, image_arg: &str) -> Self {
        let image_arg = Some(Spanned::new(image_arg.to_owned(), Span::default()));
        let image = ImageSpec { label: label.to_owned(), span: Span::default(), image_arg, format: None };
        self.spec.images.push(image);
        self.images.insert(label.to_owned(), path.into());
        self
    }
}

/// The specification of a machine booted by `method`, with the device's part for it
/// (`actions.boot.methods.METHOD`) in YAML.
///
/// # Panics
///
/// When `yaml` is none.
pub fn device(platform: &str, method: &str, yaml: &str) -> MachineSpec {
    let (node, mistakes) = pumice_yaml::parse(yaml, SourceId::default());
    assert!(!mistakes.has_errors(), "the device of the test: {mistakes:?}");
    MachineSpec {
        platform: platform.to_owned(),
        method: Spanned::new(method.to_owned(), Span::default()),
        namespace: "common".to_owned(),
        device: node.unwrap_or_default(),
        boot: Node::default(),
        context: BTreeMap::new(),
        images: Vec::new(),
        model: Node::default(),
        network: None,
        joins_lan: false,
        wants_channel: true,
        overlay: None,
        guest_disk: GuestDisk::default(),
    }
}

//! The device types there are: the operator's directories first, then those that ship with pumice.

use std::{collections::BTreeMap, fs, path::PathBuf};

use pumice_device::DeviceTypes;

/// The device types that ship with pumice, by file name.
pub(crate) const SHIPPED: &[(&str, &str)] = &[
    ("base.jinja2", include_str!("../../../library/device-types/base.jinja2")),
    ("command.jinja2", include_str!("../../../library/device-types/command.jinja2")),
    ("docker.jinja2", include_str!("../../../library/device-types/docker.jinja2")),
    ("fvp.jinja2", include_str!("../../../library/device-types/fvp.jinja2")),
    ("kvm.jinja2", include_str!("../../../library/device-types/kvm.jinja2")),
    ("qemu-aarch64.jinja2", include_str!("../../../library/device-types/qemu-aarch64.jinja2")),
    ("qemu.jinja2", include_str!("../../../library/device-types/qemu.jinja2")),
    ("ssh.jinja2", include_str!("../../../library/device-types/ssh.jinja2")),
    ("uml.jinja2", include_str!("../../../library/device-types/uml.jinja2")),
];

/// What the file name of a device type ends in.
const EXTENSION: &str = ".jinja2";

/// Where device types are looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Library {
    /// The operator's directories, the first one that has a template winning.
    pub(crate) directories: Vec<PathBuf>,
}

impl Library {
    /// The text of a template, by its file name.
    pub(crate) fn load(&self, file: &str) -> Option<String> {
        let own = self.directories.iter().find_map(|directory| fs::read_to_string(directory.join(file)).ok());
        own.or_else(|| SHIPPED.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned()))
    }

    /// Whether there is a device type of this name.
    pub(crate) fn has(&self, device_type: &str) -> bool {
        self.load(&format!("{device_type}{EXTENSION}")).is_some()
    }

    /// The names of all device types and where each is from, without the template that the others extend.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for directory in &self.directories {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let file = entry.file_name().to_string_lossy().into_owned();
                if let Some(name) = file.strip_suffix(EXTENSION) {
                    names.entry(name.to_owned()).or_insert_with(|| entry.path().display().to_string());
                }
            }
        }
        for (file, _) in SHIPPED {
            if let Some(name) = file.strip_suffix(EXTENSION) {
                names.entry(name.to_owned()).or_insert_with(|| "shipped".to_owned());
            }
        }
        names.remove("base");
        names
    }

    /// Renders them.
    pub(crate) fn device_types(&self) -> DeviceTypes {
        let library = self.clone();
        DeviceTypes::new(move |file| library.load(file))
    }
}

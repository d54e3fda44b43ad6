//! The library of this repository, loaded as the program loads it.

use std::{fs, path::PathBuf};

use pumice_device::{DeviceTypes, RenderRequest, plain_dictionary};
use pumice_types::{Diagnostics, Sources};
use pumice_yaml::{Map, Node, Value};

/// `library/` of this repository.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../library")
}

pub(crate) fn device_types() -> DeviceTypes {
    DeviceTypes::new(|name| fs::read_to_string(directory().join("device-types").join(name)).ok())
}

/// The device of a type with nothing set, rendered with `context`, and all that was said.
pub(crate) fn rendered(device_type: &str, context: &Node) -> (Node, Diagnostics) {
    let dictionary = plain_dictionary(&device_type.parse().unwrap());
    let empty = Map::default();
    let context = if let Value::Map(map) = &context.value { map } else { &empty };
    let request =
        RenderRequest { source: "device", dictionary: &dictionary, device: "", device_type: "", context };
    let (device, diagnostics) = device_types().device(&request, &mut Sources::default()).unwrap();
    (device.node, diagnostics)
}

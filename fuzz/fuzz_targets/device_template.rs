//! Device dictionaries as Jinja2, with a device type of ours below them, and the devices that come out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_device::{Device, DeviceTypes, RenderRequest, base_template};
use pumice_types::SourceId;
use pumice_yaml::{Map, Value};

const BASE: &str = include_str!("../../library/device-types/qemu.jinja2");

fuzz_target!(|input: &str| {
    // A dictionary, a line `---`, and the job's context.
    let (dictionary, context) = input.split_once("\n---\n").unwrap_or((input, ""));
    let _ = base_template(dictionary);
    let types = DeviceTypes::new(|name| (name == "qemu.jinja2").then(|| BASE.to_owned()));
    let context = match pumice_yaml::parse(context, SourceId::default()).0.map(|node| node.value) {
        Some(Value::Map(map)) => map,
        _ => Map::default(),
    };
    let request = RenderRequest {
        source: "device.jinja2",
        dictionary,
        device: "device",
        device_type: "qemu",
        context: &context,
    };
    let Ok(rendered) = types.render(&request) else { return };
    if let (Some(node), _) = pumice_yaml::parse(&rendered.text, SourceId::default()) {
        let (_, diagnostics) = Device::read(&node);
        pumice_fuzz::check_spans(&diagnostics, &rendered.text);
    }
});

//! The device types of the corpus: each context must lead to the same values where the dispatcher reads them
//! (lava-compat 2.4, 2.5).

use std::{collections::BTreeMap, fs, path::PathBuf};

use pumice_device::Device;
use pumice_types::SourceId;
use pumice_yaml::Node;
use serde_json::{Map, Value};

use crate::shipped::rendered;

/// Where ours differs, and why. `docs/lava-differences.md` says the same to users.
const DIFFERENCES: &[(&str, &str)] = &[
    ("actions/boot/methods/qemu/parameters/boot_options", "LAVA's is broken YAML for most; nothing reads it"),
    (
        "actions/boot/methods/qemu-nfs/parameters/boot_options",
        "LAVA's is broken YAML for most; nothing reads it",
    ),
    ("actions/boot/methods/schroot", "no schroot"),
    ("actions/deploy/methods/ssh/identity_file", "no key that everybody knows"),
    ("actions/test/methods/docker", "an empty list instead of a list of null"),
    ("constants/barebox", "no barebox on virtual platforms"),
    ("constants/depthcharge", "no depthcharge on virtual platforms"),
    ("constants/ipxe", "no iPXE scripts"),
    ("constants/u-boot", "our own list of messages, from U-Boot's source"),
    ("constants/grub", "our own list of messages, from GRUB's source"),
    ("constants/grub-efi", "our own list of messages, from GRUB's source"),
    ("constants/uefi", "ours only"),
    ("timeouts/actions/flash-uboot-ums", "boards"),
    ("timeouts/actions/musca-boot", "boards"),
    ("timeouts/actions/musca-deploy", "boards"),
    ("timeouts/actions/unmount-musca-usbmsd", "boards"),
    ("device_type", "the key's old name, `devicetype`, is read too"),
    ("devicetype", "the key's old name"),
    ("commands", "empty with us, absent with LAVA"),
];

/// Device types that we refuse by name.
const REFUSED: &[&str] = &["avh"];

fn corpus(name: &str) -> Option<Vec<Map<String, Value>>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(name);
    let text = fs::read_to_string(path).ok();
    if text.is_none() {
        println!("skipped: there is no ../shared/corpus/{name}");
    }
    Some(text?.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn every_rendered_device_of_the_field_is_read() {
    let Some(lines) = corpus("plans.jsonl") else { return };
    let mut count = 0;
    for line in lines {
        let Some(text) = line["device_yaml"].as_str() else { continue };
        let (node, mistakes) = pumice_yaml::parse(text, SourceId(0));
        assert!(!mistakes.has_errors(), "{mistakes:?}");
        let (device, mistakes) = Device::read(&node.unwrap());
        assert!(mistakes.is_empty(), "{}: {mistakes:?}", line["device"]);
        assert!(!device.action_timeouts.is_empty());
        count += 1;
    }
    assert!(count > 100, "only {count} devices were read");
}

#[test]
fn our_device_types_lead_to_the_same_values() {
    let Some(lines) = corpus("devices.jsonl") else { return };
    let mut compared = 0;
    let mut offences = BTreeMap::<String, Vec<String>>::new();
    for line in lines {
        let device_type = line["device_type"].as_str().unwrap();
        if REFUSED.contains(&device_type) {
            continue;
        }
        let (ours, diagnostics) = rendered(device_type, &Node::from_json(&line["context"]));
        assert!(!diagnostics.has_errors(), "{device_type}: {diagnostics:?}");
        compared += 1;
        for difference in differences(&line["device"], &ours.to_json()) {
            offences.entry(difference).or_default().push(line["context"].to_string());
        }
    }
    assert!(compared > 60, "only {compared} devices were compared");
    let shown: Vec<_> = offences
        .iter()
        .map(|(difference, contexts)| {
            format!("{difference}\n    {} times, first {}", contexts.len(), contexts[0])
        })
        .collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

/// `PATH: theirs, ours` for each leaf that differs and may not.
fn differences(theirs: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", theirs, ours, &mut found);
    found
}

fn compare(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    if DIFFERENCES.iter().any(|(known, _)| *known == path) {
        return;
    }
    if let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) {
        let missing = ours.keys().filter(|key| !theirs.contains_key(*key));
        for key in theirs.keys().chain(missing) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
            let nothing = Value::String("nothing".to_owned());
            let (left, right) = (theirs.get(key).unwrap_or(&nothing), ours.get(key).unwrap_or(&nothing));
            compare(&path, left, right, found);
        }
        return;
    }
    let is_same_set = match (theirs.as_array(), ours.as_array()) {
        (Some(left), Some(right)) if path == "available_architectures" => {
            let sorted = |items: &Vec<Value>| {
                let mut names: Vec<String> = items.iter().map(Value::to_string).collect();
                names.sort();
                names
            };
            sorted(left) == sorted(right)
        }
        _ => false,
    };
    if theirs != ours && !is_same_set {
        found.push(format!("{path}: {theirs}, ours {ours}"));
    }
}

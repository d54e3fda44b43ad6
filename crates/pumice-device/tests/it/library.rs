//! What ships must be right by itself, with no corpus at hand.

use std::fs;

use pumice_device::{Device, ModelLibrary};
use pumice_types::{SourceId, Sources};
use pumice_yaml::Node;

use crate::shipped::{directory, rendered};

fn context(text: &str) -> Node {
    pumice_yaml::parse(text, SourceId(0)).0.unwrap()
}

/// The program and its options for a context.
fn command_line(device_type: &str, text: &str) -> String {
    let (node, diagnostics) = rendered(device_type, &context(text));
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let device = Device::read(&node).0;
    let parameters = device.boot_method("qemu").unwrap().get("parameters").unwrap();
    let list = |key| parameters.get(key).and_then(Node::as_seq).unwrap_or_default().to_vec();
    let options = list("options").into_iter().chain(list("extra")).filter_map(|node| node.scalar_text());
    let program = parameters.get("command").and_then(Node::as_str).unwrap_or_default().to_owned();
    std::iter::once(program).chain(options).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_context_leads_to_a_machine() {
    let check = |text: &str, expected: &str| assert_eq!(command_line("qemu", text), expected, "{text}");
    check(
        "{arch: arm64}",
        "qemu-system-aarch64 -cpu cortex-a57 -machine virt -nographic \
         -net nic,model=virtio,macaddr=52:54:00:12:34:58 -net user -m 512 -monitor none",
    );
    check(
        "{arch: arm, machine: vexpress-a15, cpu: cortex-a15, memory: 1G, no_network: true, extra_options: [-smp 2]}",
        "qemu-system-arm -cpu cortex-a15 -machine vexpress-a15 -nographic -net none -m 1G -monitor none -smp 2",
    );
    check(
        "{arch: riscv64, no_kvm: true, no_network: true}",
        "qemu-system-riscv64 -machine virt -cpu rv64 -nographic -net none -m 512 -monitor none",
    );
}

#[test]
fn a_context_cannot_break_out_of_its_value() {
    let (node, diagnostics) =
        rendered("qemu", &context(r#"{arch: arm64, cpu: "x\n- y: [", memory: "1\"'"}"#));
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let options = node.at(&["actions", "boot", "methods", "qemu", "parameters", "options"]);
    let texts: Vec<_> = options.and_then(Node::as_seq).unwrap().iter().filter_map(Node::as_str).collect();
    assert_eq!(texts[0], "-cpu x\n- y: [");
    assert!(texts.contains(&"-m 1\"'"), "{texts:?}");
}

#[test]
fn every_device_type_renders_to_a_device_without_a_word() {
    let mut count = 0;
    for entry in fs::read_dir(directory().join("device-types")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(device_type) = name.strip_suffix(".jinja2") else { panic!("{name} is no template") };
        let (node, diagnostics) = rendered(device_type, &Node::default());
        assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
        assert!(node.get("actions").is_some(), "{name}");
        count += 1;
    }
    assert!(count >= 8);
}

#[test]
fn a_declared_program_is_a_mapping_where_its_platform_reads_it() {
    let check = |text: &str, expected: &str| {
        let (node, diagnostics) = rendered("uml", &context(text));
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        let parameters = node.at(&["actions", "boot", "methods", "command", "parameters"]).unwrap();
        assert_eq!(parameters.get("overlay_initramfs").and_then(Node::as_str), Some("ramdisk"));
        let arguments = parameters.get("arguments").and_then(Node::as_seq).unwrap();
        assert_eq!(arguments[0].as_str(), Some(expected));
    };
    check("{}", "mem=256M");
    check("{memory: 512}", "mem=512M");
    check("{memory: 1G}", "mem=1G");
    let (node, _) = rendered("command", &context("{command: {program: x, arguments: ['{kernel}']}}"));
    let program = node.at(&["actions", "boot", "methods", "command", "parameters", "program"]);
    assert_eq!(program.and_then(Node::as_str), Some("x"));
}

#[test]
fn every_model_reads_without_a_word() {
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory().join("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            texts.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    let named = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let (library, diagnostics) = ModelLibrary::read(named, &mut Sources::default());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert!(library.iter().count() >= 2);
}

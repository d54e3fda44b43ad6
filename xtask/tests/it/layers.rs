//! Which crate may use which: `ARCHITECTURE.md`, "The rooms".

use std::process::Command;

use serde_json::Value;

use crate::repository::{none, root};

/// Every crate from the bottom up, with the crates of ours it may use. A new edge is a decision: make it
/// here, and say why in the commit.
const LAYERS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("yaml", &["types"]),
    ("job", &["types", "yaml"]),
    ("device", &["types", "yaml"]),
    ("guest", &["types", "yaml"]),
    ("record", &["types", "yaml"]),
    ("api", &["types"]),
    ("plan", &["types", "yaml", "job", "device", "guest"]),
    ("sched", &["types", "api"]),
    ("multinode", &["types"]),
    ("process", &["types"]),
    ("network", &["types", "process"]),
    ("console", &["types", "process"]),
    ("image", &["types"]),
    ("nfs", &["image"]),
    ("store", &["types", "image"]),
    ("platform", &["types", "yaml", "plan", "process", "network", "console"]),
    ("platform-qemu", &["types", "yaml", "plan", "process", "console", "platform"]),
    ("platform-fvp", &["types", "yaml", "plan", "process", "console", "platform"]),
    ("platform-command", &["types", "yaml", "plan", "process", "console", "platform"]),
    ("platforms", &["platform", "platform-qemu", "platform-fvp", "platform-command"]),
    (
        "run",
        &[
            "types",
            "yaml",
            "job",
            "device",
            "guest",
            "record",
            "api",
            "plan",
            "multinode",
            "process",
            "console",
            "image",
            "store",
            "platform",
            "nfs",
        ],
    ),
    ("client", &["types", "api"]),
    ("worker", &["types", "yaml", "api", "process", "client"]),
    ("db", &["types", "sched"]),
    (
        "server",
        &["types", "yaml", "job", "device", "guest", "record", "api", "plan", "sched", "multinode", "db"],
    ),
];

/// Crates that put the rest together, or only help tests: they may use everything.
const ASSEMBLERS: &[&str] = &["pumice", "pumice-testkit", "xtask", "e2e", "lava-api-client", "model-standin"];

#[test]
fn every_edge_between_crates_is_in_the_table() {
    let mut offences = Vec::new();
    for package in members() {
        let name = package["name"].as_str().unwrap();
        if ASSEMBLERS.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| name == format!("pumice-{layer}")) else {
            offences.push(format!("{name} is in no layer"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(used) = dependency["name"].as_str().unwrap().strip_prefix("pumice-") else { continue };
            let is_for_tests = dependency["kind"] == "dev";
            let is_allowed = allowed.contains(&used) || is_for_tests && may_test_with(name, used);
            if !is_allowed {
                offences.push(format!("{name} uses pumice-{used}"));
            }
        }
    }
    none(&offences, "Move the code to where it may know what it needs, or change xtask/tests/it/layers.rs.");
}

/// Tests of a crate may use the testkit, itself again, and whatever lies below.
fn may_test_with(name: &str, used: &str) -> bool {
    let place = |wanted: &str| LAYERS.iter().position(|(layer, _)| *layer == wanted);
    used == "testkit" || place(used) < place(name.trim_start_matches("pumice-"))
}

#[test]
fn the_table_only_points_down() {
    for (place, (layer, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            let below = LAYERS[..place].iter().any(|(below, _)| below == used);
            assert!(below, "{layer} may use {used}, which does not lie below it");
        }
    }
}

/// `cargo metadata` of the workspace's members.
fn members() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

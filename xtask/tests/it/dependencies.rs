//! Dependencies: declared in one place, with a reason each.

use toml::{Table, Value};

use crate::repository::{Text, manifests, none};

fn parsed(file: &Text) -> Table {
    file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

#[test]
fn versions_and_features_stand_only_in_the_workspace() {
    let mut offences = Vec::new();
    for file in manifests() {
        let manifest = parsed(&file);
        for (section, dependencies) in sections(&manifest) {
            for (name, value) in dependencies {
                let is_inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
                let keys = value.as_table().into_iter().flat_map(Table::keys);
                let more: Vec<_> =
                    keys.filter(|key| !["workspace", "optional"].contains(&key.as_str())).collect();
                if !is_inherited || !more.is_empty() {
                    offences.push(format!("{}: [{section}] {name}", file.path));
                }
            }
        }
    }
    none(&offences, "Write `NAME.workspace = true` and put version and features into the root Cargo.toml.");
}

/// Every table of dependencies, of targets too.
fn sections(manifest: &Table) -> Vec<(&str, &Table)> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| kinds.map(|kind| Some((kind, table.get(kind)?.as_table()?))))
        .flatten()
        .collect()
}

#[test]
fn every_member_takes_the_workspaces_lints() {
    let offences: Vec<_> = manifests()
        .iter()
        .filter(|file| {
            parsed(file).get("lints").and_then(|lints| lints.get("workspace")) != Some(&Value::from(true))
        })
        .map(|file| file.path.clone())
        .collect();
    none(&offences, "Add `[lints]` with `workspace = true`.");
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = parsed(&Text::read("Cargo.toml"));
    let reasons = Text::read("docs/design/dependencies.md").text;
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    let offences: Vec<_> = dependencies
        .iter()
        .filter(|(_, value)| value.get("path").is_none())
        .map(|(name, _)| name)
        .filter(|name| !reasons.lines().any(|line| line.starts_with(&format!("| {name} |"))))
        .cloned()
        .collect();
    none(&offences, "Add a line each to docs/design/dependencies.md, or take the dependency away.");
}

#[test]
fn every_dependency_of_the_workspace_is_used() {
    let manifest = parsed(&Text::read("Cargo.toml"));
    let members: Vec<Table> = manifests().iter().map(parsed).collect();
    let is_used = |name: &str| {
        members
            .iter()
            .any(|member| sections(member).iter().any(|(_, dependencies)| dependencies.contains_key(name)))
    };
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    let offences: Vec<_> = dependencies
        .iter()
        .filter(|(name, value)| value.get("path").is_none() && !is_used(name))
        .map(|(name, _)| name.clone())
        .collect();
    none(&offences, "No member uses these: take them out of the root Cargo.toml.");
}

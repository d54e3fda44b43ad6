//! Building a model from `data/components.toml` and `data/families.toml`.

use super::{MachineKind, Model, ModelName, Parameter, Parameters, Roles, TerminalSpec, Value};
use crate::knobs::Announcement;
use serde::Deserialize;
use std::collections::BTreeMap;

const COMPONENTS: &str = include_str!("../../data/components.toml");
const FAMILIES: &str = include_str!("../../data/families.toml");

/// The tables that are compiled in are not sound. A test keeps this from happening.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    /// Not TOML, or not of the shape wanted.
    #[error("the tables of components do not parse: {0}")]
    Toml(#[from] toml::de::Error),
    /// A family or component that is named but not described.
    #[error("the tables have no `{0}`")]
    Missing(String),
    /// A default that is neither boolean, integer nor text.
    #[error("parameter `{0}` has no usable default")]
    Default(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    /// The kind that `--list-instances` shows.
    #[serde(rename = "component")]
    kind: String,
    #[serde(default)]
    include: Vec<String>,
    parameters: Vec<Vec<toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    title: String,
    version: String,
    built: String,
    licensed: bool,
    announce: Announcement,
    machine: MachineKind,
    #[serde(default)]
    banner: bool,
    #[serde(default)]
    ethos: bool,
    #[serde(default)]
    cmn: bool,
    instance: Option<String>,
    #[serde(default = "application_core")]
    core_kind: String,
    core_path: Option<String>,
    #[serde(default)]
    core_prefix: String,
    components: Vec<(String, String)>,
    terminals: Vec<(String, String, String)>,
    uarts: Option<Vec<usize>>,
    #[serde(default)]
    roles: Roles,
}

fn application_core() -> String {
    "core_v8".into()
}

type Components = BTreeMap<String, Component>;

/// Everything the tables say of the model of that name.
pub(super) fn build(name: ModelName) -> Result<Model, CatalogueError> {
    let components: Components = toml::from_str(COMPONENTS)?;
    let mut families: BTreeMap<String, Family> = toml::from_str(FAMILIES)?;
    let family =
        families.remove(name.family).ok_or_else(|| CatalogueError::Missing(name.family.to_owned()))?;

    let mut parts: Vec<(String, String)> = family
        .components
        .iter()
        .flat_map(|(path, kind)| expand(path).map(|path| (path, kind.clone())))
        .collect();
    let cores = add_cores(&name, &family, &mut parts);

    let mut parameters = Parameters::default();
    let mut instances = Vec::new();
    for (path, kind) in parts {
        let component = components.get(&kind).ok_or_else(|| CatalogueError::Missing(kind.clone()))?;
        add_parameters(&components, component, &path, &mut parameters)?;
        if !path.is_empty() {
            instances.push((path, component.kind.clone()));
        }
    }
    instances.sort();

    let terminals: Vec<_> =
        family.terminals.into_iter().map(|(name, path, uart)| TerminalSpec { name, path, uart }).collect();
    let mut model = Model {
        instance: family.instance.unwrap_or_else(|| instance_name(&name.name)),
        version: family.version,
        built: family.built,
        licensed: family.licensed || (name.family == "base" && !name.is_architecture_model()),
        announce: family.announce,
        banner: family.banner,
        machine: family.machine,
        cores,
        instances,
        uarts: family.uarts.unwrap_or_else(|| (0..terminals.len()).collect()),
        terminals,
        roles: family.roles,
        parameters,
        ethos: family.ethos,
        cmn: family.cmn,
        name,
    };
    adapt(&mut model);
    Ok(model)
}

/// What differs between the members of one family.
fn adapt(model: &mut Model) {
    if model.name.vintage {
        // RTSM_ names ended with Fast Models 8; the exact version and day are ours (reference 1.5).
        model.version = "7.1.37".into();
        model.built = "Jul 12 2012".into();
    }
    if model.name.family == "ve" && model.name.is_architecture_model() {
        model.machine = MachineKind::Virt;
    }
    if model.name.name.starts_with("FVP_BaseR_") {
        model.version = "11.28.23".into();
        model.announce = Announcement::InfoBlank;
        model.licensed = !model.name.is_architecture_model();
    }
}

/// `FVP_Base_RevC-2xAEMvA` logs as `FVP_Base_RevC_2xAEMvA`, `FVP_RD_N2` as `RD_N2` (reference 1.2).
fn instance_name(name: &str) -> String {
    let shown = if name.starts_with("FVP_RD_") { name.trim_start_matches("FVP_") } else { name };
    shown.replace('-', "_")
}

/// Adds clusters and cores by the naming rules of reference 2.6; returns the cores' instances.
fn add_cores(name: &ModelName, family: &Family, parts: &mut Vec<(String, String)>) -> Vec<String> {
    if let Some(path) = &family.core_path {
        parts.push((path.clone(), family.core_kind.clone()));
        return vec![path.clone()];
    }
    let arm64 = family.machine == MachineKind::Virt || name.is_architecture_model();
    let prefix = if name.is_coretile() { "coretile." } else { &family.core_prefix };
    if name.is_coretile() {
        parts.push(("coretile".into(), "big_little".into()));
        parts.push(("coretile.dualclustersystemconfigurationblock".into(), "dualcluster".into()));
    }
    let mut cores = Vec::new();
    for (number, cluster) in name.clusters.iter().enumerate() {
        let numbered = name.family != "ve" || name.is_coretile();
        let path = if numbered { format!("{prefix}cluster{number}") } else { format!("{prefix}cluster") };
        let kind = match (name.family, cluster.core.starts_with("AEM")) {
            ("base" | "foundation", true) => "cluster_aem",
            ("ve", _) => "cluster_a",
            _ => "cluster_named",
        };
        parts.push((path.clone(), kind.into()));
        for core in 0..cluster.count {
            let path = format!("{path}.cpu{core}");
            parts.push((path.clone(), if arm64 { "core_v8" } else { "core_v7" }.into()));
            cores.push(path);
        }
    }
    cores
}

/// `a.b[0-3]` stands for `a.b0` to `a.b3`.
fn expand(path: &str) -> impl Iterator<Item = String> {
    let range = path.split_once('[').and_then(|(head, rest)| {
        let (digits, tail) = rest.split_once(']')?;
        let (from, to) = digits.split_once('-')?;
        Some((head, from.parse::<u32>().ok()?, to.parse::<u32>().ok()?, tail))
    });
    let all: Vec<String> = match range {
        Some((head, from, to, tail)) => (from..=to).map(|digit| format!("{head}{digit}{tail}")).collect(),
        None => vec![path.to_owned()],
    };
    all.into_iter()
}

fn add_parameters(
    components: &Components,
    component: &Component,
    path: &str,
    into: &mut Parameters,
) -> Result<(), CatalogueError> {
    for row in &component.parameters {
        into.add(parameter(path, row)?);
    }
    for included in &component.include {
        let other = components.get(included).ok_or_else(|| CatalogueError::Missing(included.clone()))?;
        add_parameters(components, other, path, into)?;
    }
    Ok(())
}

fn parameter(path: &str, row: &[toml::Value]) -> Result<Parameter, CatalogueError> {
    let text = |at: usize| row.get(at).and_then(toml::Value::as_str).unwrap_or_default();
    let number = |at: usize| row.get(at).and_then(toml::Value::as_integer);
    let name = if path.is_empty() { text(0).to_owned() } else { format!("{path}.{}", text(0)) };
    let default = match row.get(1) {
        Some(toml::Value::Boolean(value)) => Value::Bool(*value),
        Some(toml::Value::Integer(value)) => Value::Int(*value),
        Some(toml::Value::String(value)) => Value::Text(value.clone()),
        _ => return Err(CatalogueError::Default(name)),
    };
    let range = number(3).zip(number(4));
    Ok(Parameter { name, value: default.clone(), default, about: text(2).to_owned(), range })
}

/// The parameters that a plug-in brings (reference 6.2, 6.3); none for a plug-in we know nothing of.
pub(crate) fn plugin_parameters(stem: &str) -> Result<Vec<Parameter>, CatalogueError> {
    let components: Components = toml::from_str(COMPONENTS)?;
    let Some(component) = components.get(&format!("plugin_{stem}")) else { return Ok(Vec::new()) };
    component.parameters.iter().map(|row| parameter(&component.kind, row)).collect()
}

/// Titles of all families, for people.
pub(crate) fn families() -> Result<Vec<(String, String)>, CatalogueError> {
    let families: BTreeMap<String, Family> = toml::from_str(FAMILIES)?;
    Ok(families.into_iter().map(|(key, family)| (key, family.title)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> Model {
        Model::new(ModelName::parse(name).unwrap()).unwrap()
    }

    #[test]
    fn every_family_builds_and_its_roles_and_terminals_exist() {
        for name in [
            "FVP_VE_Cortex-A15x1",
            "RTSM_VE_Cortex-A15x4-A7x4",
            "RTSM_VE_AEMv8A",
            "FVP_Base_RevC-2xAEMvA",
            "FVP_BaseR_AEMv8R",
            "Foundation_Platform",
            "FVP_MPS2_Cortex-M3",
            "FVP_Corstone_SSE-300",
            "FVP_Corstone_SSE-320",
            "FVP_RD_N2",
            "FVP_RD_V3_R1",
            "FVP_Morello",
        ] {
            let model = model(name);
            let known = |name: &str| model.parameters.rows().iter().any(|row| row.name == name);
            for terminal in &model.terminals {
                assert!(known(&format!("{}.start_port", terminal.path)), "{name}: {}", terminal.path);
                assert!(known(&format!("{}.out_file", terminal.uart)), "{name}: {}", terminal.uart);
            }
            let roles = &model.roles;
            for (role, parameter) in [
                (&roles.mmc, "p_mmc_file"),
                (&roles.secure_flash, "fname"),
                (&roles.flash0, "fname"),
                (&roles.flash1, "fnameWrite"),
                (&roles.block, "image_path"),
                (&roles.p9, "root_path"),
                (&roles.rng, "enabled"),
                (&roles.nic, "mac_address"),
                (&roles.hostbridge, "userNetPorts"),
                (&roles.virtio_net, "transport"),
                (&roles.virtio_net_hostbridge, "userNetSubnet"),
                (&roles.sysregs, "exit_on_shutdown"),
            ] {
                if let Some(path) = role {
                    assert!(known(&format!("{path}.{parameter}")), "{name}: {path}.{parameter}");
                }
            }
            for whole in [&roles.visualisation, &roles.dram_gib].into_iter().flatten() {
                assert!(known(whole), "{name}: {whole}");
            }
            assert!(model.uarts.iter().all(|&at| at < model.terminals.len()), "{name}: uarts");
            assert!(!model.cores.is_empty(), "{name}: cores");
        }
    }

    #[test]
    fn instances_are_named_as_the_platforms_name_them() {
        let boot_core = |name: &str| model(name).cores[0].clone();
        assert_eq!(boot_core("FVP_VE_Cortex-A15x1"), "cluster.cpu0");
        assert_eq!(boot_core("RTSM_VE_Cortex-A15x4-A7x4"), "coretile.cluster0.cpu0");
        assert_eq!(boot_core("FVP_Base_RevC-2xAEMvA"), "cluster0.cpu0");
        assert_eq!(boot_core("FVP_MPS2_Cortex-M3"), "cpu0");
        assert_eq!(boot_core("FVP_Corstone_SSE-320"), "mps4_board.subsystem.cpu0");
        assert_eq!(boot_core("FVP_RD_N2"), "css.cluster0.cpu0");
        assert_eq!(model("FVP_Base_RevC-2xAEMvA").cores.len(), 8);
        assert_eq!(model("FVP_Base_RevC-2xAEMvA").instance, "FVP_Base_RevC_2xAEMvA");
        assert_eq!(model("FVP_RD_N2").instance, "RD_N2");
    }

    #[test]
    fn a_pattern_names_all_cores_of_a_cluster() {
        let model = model("RTSM_VE_Cortex-A15x4-A7x4");
        assert_eq!(model.matching("coretile.cluster1.*").len(), 4);
        assert_eq!(model.matching("*.cpu0"), ["coretile.cluster0.cpu0", "coretile.cluster1.cpu0"]);
        assert!(model.matching("cluster.cpu0").is_empty());
    }
}

//! What a model's name says: family, clusters, cores.
//!
//! The names are those of reference/fastmodels.md, section 1.2. `RTSM_` and `FVP_` are the same thing some years apart.

/// Key of a table in `data/families.toml`.
pub(crate) type FamilyKey = &'static str;

/// A name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelName {
    /// The whole name as the program was called.
    pub(crate) name: String,
    /// Which family it is of.
    pub(crate) family: FamilyKey,
    /// Its clusters in order; empty for a platform with one bare core.
    pub(crate) clusters: Vec<Cluster>,
    /// Whether it is of the RTSM era, with that era's words.
    pub(crate) vintage: bool,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// The core, as the name spells it: `A15`, `A57`, `AEM`, `N2`, `M3`.
    pub(crate) core: String,
    /// How many of them.
    pub(crate) count: usize,
}

impl Cluster {
    fn new(core: &str, count: usize) -> Self {
        Self { core: core.into(), count }
    }
}

impl ModelName {
    /// Takes a program's name apart; `None` when it is no model's.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".so").unwrap_or(name);
        let vintage = stem.starts_with("RTSM_");
        let rest = ["FVP_", "RTSM_", "VHT_"].iter().find_map(|prefix| stem.strip_prefix(prefix));
        let (family, clusters) = match rest {
            None if matches!(stem, "Foundation_Platform" | "Foundation_v8") => {
                ("foundation", vec![Cluster::new("AEM", 4)])
            }
            None => return None,
            Some(rest) => family_of(rest)?,
        };
        Some(Self { name: stem.into(), family, clusters, vintage })
    }

    /// Whether this is a model with A15 and A7 (or any two kinds of) clusters on the old platform, whose instances
    /// stand under `coretile.`.
    pub(crate) fn is_coretile(&self) -> bool {
        self.family == "ve" && self.clusters.len() > 1
    }

    /// Whether the architecture envelope model, not a named core, is inside.
    pub(crate) fn is_architecture_model(&self) -> bool {
        self.clusters.iter().all(|cluster| cluster.core.starts_with("AEM"))
    }
}

fn family_of(rest: &str) -> Option<(FamilyKey, Vec<Cluster>)> {
    if let Some(cores) = rest.strip_prefix("VE_") {
        return Some(("ve", clusters_of(cores)?));
    }
    if let Some(cores) = rest.strip_prefix("Base_").or_else(|| rest.strip_prefix("BaseR_")) {
        return Some(("base", base_clusters(cores)?));
    }
    if let Some(core) = rest.strip_prefix("MPS2_") {
        let core = core.strip_prefix("Cortex-").unwrap_or(core);
        return Some(("mps2", vec![Cluster::new(core, 1)]));
    }
    if let Some(which) = rest.strip_prefix("Corstone_SSE-").or_else(|| rest.strip_prefix("Corstone-")) {
        let (family, core) = match which.get(..3)? {
            "300" => ("corstone", "M55"),
            "310" => ("corstone", "M85"),
            "315" | "320" => ("corstone_mps4", "M85"),
            _ => return None,
        };
        return Some((family, vec![Cluster::new(core, 1)]));
    }
    if rest.starts_with("RD_V3") {
        return Some(("infrastructure_v3", vec![Cluster::new("V3", 4)]));
    }
    if let Some(design) = rest.strip_prefix("RD_") {
        let core = design.split('_').next().filter(|core| !core.is_empty())?;
        return Some(("infrastructure", vec![Cluster::new(core, 4), Cluster::new(core, 4)]));
    }
    (rest == "Morello").then(|| ("morello", vec![Cluster::new("Rainier", 2), Cluster::new("Rainier", 2)]))
}

/// `Cortex-A15x4-A7x4`, `Cortex-A9_MPx2`, `Cortex-A55x4+Cortex-A76x2`, `AEMv8A`.
fn clusters_of(text: &str) -> Option<Vec<Cluster>> {
    if text.starts_with("AEM") {
        return Some(vec![Cluster::new("AEM", 4)]);
    }
    text.split(['-', '+']).filter(|part| *part != "Cortex" && *part != "Neoverse").map(cluster_of).collect()
}

/// `A15x4`, `A9_MPx2`, `N1x4`.
fn cluster_of(text: &str) -> Option<Cluster> {
    let (core, count) = text.rsplit_once('x')?;
    let core = core.trim_end_matches("_MP");
    let count = count.parse().ok().filter(|count| (1..=8).contains(count))?;
    let named = core.starts_with(|letter: char| letter.is_ascii_uppercase())
        && core.chars().all(|letter| letter.is_ascii_alphanumeric());
    named.then(|| Cluster::new(core, count))
}

/// The architecture models have two clusters of four whatever their name; the others say.
fn base_clusters(text: &str) -> Option<Vec<Cluster>> {
    if text.starts_with("AEMv8R") || text.starts_with("Cortex-R") {
        return Some(vec![Cluster::new("AEMv8R", 4)]);
    }
    if text.contains("AEM") {
        let both = text.starts_with("RevC-2x") || text.contains("-AEM");
        let cluster = Cluster::new("AEM", 4);
        return Some(if both { vec![cluster.clone(), cluster] } else { vec![cluster] });
    }
    clusters_of(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, family: &str, clusters: &[(&str, usize)]) {
        let parsed = ModelName::parse(name).unwrap();
        let found: Vec<_> = parsed.clusters.iter().map(|c| (c.core.as_str(), c.count)).collect();
        assert_eq!((parsed.family, found.as_slice()), (family, clusters));
    }

    #[test]
    fn names_say_family_and_cores() {
        check("FVP_VE_Cortex-A15x1", "ve", &[("A15", 1)]);
        check("RTSM_VE_Cortex-A15x4-A7x4", "ve", &[("A15", 4), ("A7", 4)]);
        check("RTSM_VE_Cortex-A9_MPx2", "ve", &[("A9", 2)]);
        check("RTSM_VE_AEMv8A.so", "ve", &[("AEM", 4)]);
        check("FVP_Base_RevC-2xAEMvA", "base", &[("AEM", 4), ("AEM", 4)]);
        check("FVP_Base_AEMvA", "base", &[("AEM", 4)]);
        check("FVP_Base_Cortex-A57x2-A53x4", "base", &[("A57", 2), ("A53", 4)]);
        check("FVP_Base_Cortex-A55x4+Cortex-A76x2", "base", &[("A55", 4), ("A76", 2)]);
        check("FVP_Base_Neoverse-N1x4", "base", &[("N1", 4)]);
        check("Foundation_Platform", "foundation", &[("AEM", 4)]);
        check("FVP_MPS2_Cortex-M3", "mps2", &[("M3", 1)]);
        check("FVP_Corstone_SSE-300_Ethos-U55", "corstone", &[("M55", 1)]);
        check("FVP_Corstone_SSE-320", "corstone_mps4", &[("M85", 1)]);
        check("FVP_RD_N2", "infrastructure", &[("N2", 4), ("N2", 4)]);
        check("FVP_RD_V3_R1", "infrastructure_v3", &[("V3", 4)]);
        check("FVP_Morello", "morello", &[("Rainier", 2), ("Rainier", 2)]);
    }

    #[test]
    fn other_names_are_no_models() {
        for name in
            ["model-standin", "FVP_VE_Cortex-A15", "FVP_VE_Cortex-A15x0", "qemu-system-arm", "FVP_", "x"]
        {
            assert_eq!(ModelName::parse(name), None, "{name}");
        }
    }
}

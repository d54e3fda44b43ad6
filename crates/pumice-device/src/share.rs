//! What a running machine takes of its host.

use pumice_yaml::Node;

use crate::reader::Reader;

const KEYS: &[&str] = &["cores", "memory_mib"];

/// What one machine takes of the host that runs it, as a lab counts it. Ours, not LAVA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostShare {
    /// Processor cores; 1 where nothing is said: a simulator computes all the time.
    pub cores: u32,
    /// Memory in MiB; 0 where nothing is said, and then not counted.
    pub memory_mib: u32,
}

impl Default for HostShare {
    fn default() -> Self {
        Self { cores: 1, memory_mib: 0 }
    }
}

/// Reads `host: {cores: 2, memory_mib: 4096}`.
pub(crate) fn read(reader: &mut Reader, node: Option<&Node>) -> Option<HostShare> {
    let node = node.filter(|node| !node.is_null())?;
    let Some(map) = node.as_map() else {
        reader.wrong(node, "a mapping with `cores` and `memory_mib`");
        return None;
    };
    reader.only(map, KEYS);
    let usual = HostShare::default();
    Some(HostShare {
        cores: reader.small_count(node.get("cores")).unwrap_or(usual.cores),
        memory_mib: reader.small_count(node.get("memory_mib")).unwrap_or(usual.memory_mib),
    })
}

//! Which model this is: its parameters, instances, terminals and what its components are for.

mod catalogue;
mod name;
mod parameters;

pub(crate) use catalogue::{CatalogueError, families, plugin_parameters};
pub(crate) use name::ModelName;
pub(crate) use parameters::{Parameter, Parameters, SetError, Value, read_int};

use crate::knobs::Announcement;

/// The machine of QEMU that stands behind a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MachineKind {
    /// `vexpress-a15`: the same UARTs, SD, NIC and virtio slots at the same addresses as a VE model.
    Vexpress,
    /// `virt`, arm64; there is no FVP machine in QEMU.
    Virt,
    /// An MPS2 FPGA image.
    Mps2,
    /// An MPS3 FPGA image.
    Mps3,
}

/// One terminal and the UART bound to it.
#[derive(Clone, Debug)]
pub(crate) struct TerminalSpec {
    /// The name in the announcement.
    pub(crate) name: String,
    /// Instance of the terminal, for its parameters.
    pub(crate) path: String,
    /// Instance of the UART, for its parameters.
    pub(crate) uart: String,
}

/// Which instance does what; `None` where the family has no such thing.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Roles {
    pub(crate) mmc: Option<String>,
    pub(crate) secure_flash: Option<String>,
    pub(crate) flash0: Option<String>,
    pub(crate) flash1: Option<String>,
    pub(crate) block: Option<String>,
    pub(crate) p9: Option<String>,
    pub(crate) rng: Option<String>,
    pub(crate) nic: Option<String>,
    pub(crate) hostbridge: Option<String>,
    pub(crate) virtio_net: Option<String>,
    pub(crate) virtio_net_hostbridge: Option<String>,
    pub(crate) sysregs: Option<String>,
    /// A whole parameter, not an instance.
    pub(crate) visualisation: Option<String>,
    /// A whole parameter, not an instance.
    pub(crate) dram_gib: Option<String>,
}

/// A model, ready to be configured.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) name: ModelName,
    /// The name in log lines: `-` becomes `_`, and reference designs drop the prefix (reference 1.2).
    pub(crate) instance: String,
    pub(crate) version: String,
    pub(crate) built: String,
    pub(crate) licensed: bool,
    pub(crate) announce: Announcement,
    /// Whether a run starts with the banner.
    pub(crate) banner: bool,
    pub(crate) machine: MachineKind,
    /// Instances of the application cores, boot core first.
    pub(crate) cores: Vec<String>,
    /// All instances with the kind of component each is.
    pub(crate) instances: Vec<(String, String)>,
    pub(crate) terminals: Vec<TerminalSpec>,
    /// Index of the terminal behind the guest's first, second, … UART.
    pub(crate) uarts: Vec<usize>,
    pub(crate) roles: Roles,
    pub(crate) parameters: Parameters,
    /// Whether an NPU is created, which prints a line.
    pub(crate) ethos: bool,
    /// Whether a mesh is created, which prints a line in the middle of the announcements.
    pub(crate) cmn: bool,
}

impl Model {
    /// Builds the model of that name from the tables that are compiled in.
    pub(crate) fn new(name: ModelName) -> Result<Self, CatalogueError> {
        catalogue::build(name)
    }

    /// A parameter of the instance that has a role: `self.of(&roles.mmc, "p_mmc_file")`.
    pub(crate) fn role_text(&self, role: Option<&String>, parameter: &str) -> &str {
        role.map_or("", |path| self.parameters.text(&format!("{path}.{parameter}")))
    }

    /// The same for a boolean.
    pub(crate) fn role_flag(&self, role: Option<&String>, parameter: &str) -> bool {
        role.is_some_and(|path| self.parameters.flag(&format!("{path}.{parameter}")))
    }

    /// Whether this is a 64-bit application platform.
    pub(crate) fn is_arm64(&self) -> bool {
        self.machine == MachineKind::Virt
    }

    /// Instances that a pattern of `-a`, `-d` or `--dump` names; `*` stands for any text (reference 2.6).
    pub(crate) fn matching(&self, pattern: &str) -> Vec<&str> {
        let all = self.instances.iter().map(|(path, _)| path.as_str());
        all.filter(|path| glob(pattern, path)).collect()
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|&at| rest.is_char_boundary(at)).any(|at| glob(tail, &rest[at..]))
        }),
    }
}

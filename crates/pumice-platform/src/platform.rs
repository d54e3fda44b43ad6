//! The seam: what a simulator has to say of itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
};

use pumice_plan::{MachinePlanner, MachineSpec};
use pumice_process::{Command, Guard};
use pumice_types::Diagnostics;
use serde::Serialize;

use crate::{
    Launch, Monitor, SecretVariables,
    container::{self, Inside},
};

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One simulator. Almost only pure functions: a platform plans, the supervisor executes.
///
/// What a plan may ask ([`MachinePlanner`]: the name, the methods, `check`, `outline`) is pure and needs no
/// host. `launch` is pure too: it names the files it is given and touches none. Only `probe` looks at the
/// world.
pub trait Platform: MachinePlanner {
    /// Says exactly what would be started.
    fn launch(&self, spec: &MachineSpec, bound: &Bound) -> Result<Launch, Diagnostics>;

    /// Whether this host can run it, and which version it found.
    fn probe<'a>(&'a self, spec: Option<&'a MachineSpec>, host: &'a Host) -> BoxFuture<'a, Availability>;

    /// Whether a program of this host is taken before the container that a job names for it.
    fn prefers_own_program(&self) -> bool {
        false
    }

    /// Variables of whoever runs us that its programs get too: where their libraries and their licences are. A name
    /// that ends with `_` stands for all that begin so.
    fn inherits(&self) -> &'static [&'static str] {
        &[]
    }

    /// The labels of files that a core of the machine will execute, whose heads are read before the launch.
    fn executables(&self, _spec: &MachineSpec) -> Vec<String> {
        Vec::new()
    }

    /// Programs that its machines are most often made of, for `pumice doctor`; none where only a job, a device or a
    /// model says which.
    fn programs(&self) -> Vec<UsualProgram> {
        Vec::new()
    }

    /// The control channel of a started launch, where there is one.
    fn monitor(&self, _launch: &Launch) -> Option<Box<dyn Monitor>> {
        None
    }
}

/// A program of a platform that a host may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsualProgram {
    /// Its name on `PATH`.
    pub name: &'static str,
    /// What it is for, and what to do where it is missing.
    pub hint: String,
}

/// What a launch is bound to: files, directories, and the facts of the host it will run on.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// The deployed files by label.
    pub images: BTreeMap<String, PathBuf>,
    /// Labels of those that are qcow2 images whatever their name says.
    pub qcow2: BTreeSet<String>,
    /// What the executables among them say of themselves ([`Platform::executables`]).
    pub executables: BTreeMap<String, Executable>,
    /// The disk that carries the overlay, when it comes on one.
    pub overlay_disk: Option<PathBuf>,
    /// The root file system that is served to it over NFS.
    pub nfs: Option<NfsRoot>,
    /// What an installer works with, where the machine is installed first.
    pub installation: Option<Installation>,
    /// The directory of this machine alone; short, so that socket paths fit (108 bytes, unix(7)).
    pub work_dir: PathBuf,
    /// What the probe found.
    pub facts: Facts,
    /// A number that no other machine of this host has at the same time, for addresses and ports.
    pub instance: u32,
    /// A number that hardly another host has ([`Bound::station`]).
    pub host_key: u32,
    /// The socket of the switch that the machines of a MultiNode job share.
    pub lan: Option<PathBuf>,
    /// Licence variables from the operator's configuration; they go into the environment, never into a log.
    pub licence_env: BTreeMap<String, String>,
    /// What the program gets of our own environment ([`Platform::inherits`]): nothing in a container. It gives way to
    /// what a job, a model's entry or the configuration says, and goes into no log either.
    pub inherited_env: BTreeMap<String, String>,
}

impl Bound {
    /// A number for the machine's addresses on a network that it may share with machines of other hosts: no other
    /// machine of this host has it, and one of another host only by a chance of one in 2^32.
    pub fn station(&self) -> u32 {
        self.instance ^ self.host_key
    }
}

/// A root file system that is served over NFS, on the loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NfsRoot {
    /// The port of both NFS and MOUNT.
    pub port: u16,
    /// The name of the export.
    pub export: String,
}

/// An installation: what is started, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Whether it was made already.
    pub stage: InstallStage,
    /// The installer's kernel.
    pub kernel: PathBuf,
    /// Its initial ramdisk.
    pub initrd: PathBuf,
    /// The raw disk that it installs to.
    pub disk: PathBuf,
}

/// Which of its two starts a machine is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstallStage {
    /// The installer runs, and ends the machine when it is done.
    #[default]
    Installing,
    /// What was installed boots from its disk.
    Installed,
}

/// What an ELF executable says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Executable {
    /// How wide its addresses are: 32 or 64.
    pub bits: u8,
    /// The processor it is for.
    pub processor: Processor,
    /// Where it begins.
    pub entry: u64,
    /// The first and the last address that is loaded to.
    pub loads: Option<(u64, u64)>,
}

/// The processor that an executable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Processor {
    /// Arm, 32 bits.
    Arm,
    /// Arm, 64 bits.
    AArch64,
    /// Another, by its number in the ELF header (`e_machine`).
    Other(u16),
}

/// What a probe found out about the simulator on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The program that was found, when it is another than the name says.
    pub program: Option<PathBuf>,
    /// Its version.
    pub version: Option<String>,
    /// What it offers and was seen to work, for example accelerators; each platform has its own words.
    pub features: Vec<String>,
    /// Parameters it knows, where it lists them: name and default.
    pub parameters: BTreeMap<String, String>,
}

/// What a probe may look at.
#[derive(Clone, Debug)]
pub struct Host {
    /// Programs that are asked for their version are started under it.
    pub guard: Guard,
    /// Directories to look for programs in, in order.
    pub search_path: Vec<PathBuf>,
    /// A directory where what was found is kept between runs, keyed by the program's own identity.
    pub cache_dir: Option<PathBuf>,
    /// Programs of the model library by name: where the operator said they are.
    pub programs: BTreeMap<String, PathBuf>,
    /// Our own environment, of which a program gets what its platform names ([`Platform::inherits`]).
    pub own_environment: SecretVariables,
    /// What programs that are looked at get beside `PATH`.
    pub environment: SecretVariables,
    /// What a container engine's client finds its engine and its settings by.
    pub engine_environment: BTreeMap<String, String>,
    /// The container whose image is looked at instead of this host.
    pub inside: Option<Inside>,
}

impl Host {
    /// The first executable file of that name on the search path; a name with a slash is taken as it is. What an
    /// image has is not known before it is run, so every name is one of its programs.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        if self.inside.is_some() {
            return Some(PathBuf::from(program));
        }
        let executable = |path: &Path| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        };
        if let Some(path) = self.programs.get(program) {
            return executable(path).then(|| path.clone());
        }
        if program.contains('/') {
            return executable(Path::new(program)).then(|| PathBuf::from(program));
        }
        self.search_path.iter().map(|directory| directory.join(program)).find(|path| executable(path))
    }

    /// A program that was found, with arguments, ready to be run to its end.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        if let Some(Inside { engine, container, .. }) = &self.inside {
            let words = std::iter::once(program.to_string_lossy().into_owned());
            let words: Vec<_> = words.chain(arguments.iter().map(|&word| word.to_owned())).collect();
            return container::command(container, engine, &words);
        }
        let path = std::env::join_paths(&self.search_path).unwrap_or_else(|_| "/usr/bin:/bin".into());
        Command::new(program).args(arguments.iter().copied()).env("PATH", path).envs(&self.environment.0)
    }

    /// The variables of our own environment that have these names ([`Platform::inherits`]). None of them means
    /// anything in a container.
    pub fn inherited(&self, names: &[&str]) -> BTreeMap<String, String> {
        let is_named =
            |own: &str| names.iter().any(|name| own == *name || name.ends_with('_') && own.starts_with(name));
        let own = self.own_environment.0.iter().filter(|(name, _)| self.inside.is_none() && is_named(name));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The same host, on which programs that are looked at get these variables. Those for a container's programs are
    /// the container's own affair.
    #[must_use]
    pub fn with_environment(&self, environment: BTreeMap<String, String>) -> Self {
        Self { environment: SecretVariables(environment), ..self.clone() }
    }
}

/// What a probe says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "availability")]
pub enum Availability {
    /// It can run here.
    Ready(Facts),
    /// It cannot.
    Missing {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

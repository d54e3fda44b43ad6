//! The words of the command line.

mod job_name;
pub(crate) mod lab;
pub(crate) mod machine;

pub(crate) use job_name::JobName;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::{commands, library::Library};

/// Boot an operating-system image on a virtual platform, test it, and report whether it works
#[derive(Debug, Parser)]
#[command(name = "pumice", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a job on this host, without a server
    Run(Box<RunArgs>),
    /// Show every mistake in a job, with line and column
    Check(CheckArgs),
    /// Show what a job would do, step by step, with all timeouts resolved
    Plan(PlanArgs),
    #[command(flatten)]
    Lab(lab::LabCommand),
    /// Work with the machines of a running job, here or in the lab: consoles, files, start and stop
    #[command(subcommand)]
    Machine(machine::MachineCommand),
    /// Open a console of a running job's machine; short for `machine console`
    Attach(machine::ConsoleArgs),
    /// List, render and check devices
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Print the JSON Schema of a job, a device or a test definition
    Schema(SchemaArgs),
    /// Start the language server for editors: diagnostics, completion, hover
    Lsp,
    /// List, show, add and check models of the model library
    Model(ModelCommandArgs),
    /// Show what works on this host, and how to get the rest working
    Doctor(DoctorArgs),
    /// Print the completion script for a shell
    #[command(after_help = "Examples:\n  pumice completions bash > /etc/bash_completion.d/pumice\n  \
                            pumice completions zsh > /usr/local/share/zsh/site-functions/_pumice")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command, into a directory
    Manual {
        /// The directory
        directory: PathBuf,
    },
    /// Cleans up after a run that was killed.
    #[command(name = "__watch", hide = true)]
    Watch {
        /// The run's ledger.
        ledger: PathBuf,
    },
    /// Makes or enters the network of one machine.
    #[command(name = "__network", hide = true)]
    Network {
        /// `keep` or `enter`.
        what: String,
        /// What follows.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

/// Where the operator's own models are.
#[derive(Args, Debug, Default)]
pub(crate) struct LibraryArgs {
    /// A directory with more models; they take precedence over those that ship with pumice
    #[arg(long, value_name = "DIR")]
    pub(crate) models: Vec<PathBuf>,
    /// The configuration of this host [default: `$XDG_CONFIG_HOME/pumice/config.toml`]
    #[arg(long, value_name = "FILE", env = "PUMICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of `pumice model`.
#[derive(Args, Debug)]
pub(crate) struct ModelCommandArgs {
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

/// What `pumice model` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the models that a job can name, and whether their programs are on this host
    List(LibraryArgs),
    /// Show a model, with everything it inherits
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        library: LibraryArgs,
    },
    /// Ask a model's program about itself and write an entry for it
    Add {
        #[command(flatten)]
        subject: SubjectArgs,
        /// The entry's name [default: the program's]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The directory the entry is written to [default: the first of `models` in the configuration]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Print the entry and write nothing
        #[arg(long)]
        print: bool,
    },
    /// Try on a model's program everything that pumice expects of models, and report what differs
    Check {
        #[command(flatten)]
        subject: SubjectArgs,
        /// Also write the findings to a file, as JSON, to send to the project
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
}

/// A model's program to look at. It runs with the environment of this command.
#[derive(Args, Debug)]
pub(crate) struct SubjectArgs {
    /// The program, or a model of the library whose program is on this host
    pub(crate) program: PathBuf,
    /// For a Model Shell: the shared library that is the model
    #[arg(long, value_name = "FILE")]
    pub(crate) library: Option<PathBuf>,
    /// The entry of `[licences]` in the configuration whose variables the model gets
    #[arg(long, value_name = "NAME")]
    pub(crate) licence: Option<String>,
    #[command(flatten)]
    pub(crate) models: LibraryArgs,
    #[command(flatten)]
    pub(crate) places: Places,
}

/// Arguments of `pumice doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) library: LibraryArgs,
    #[command(flatten)]
    pub(crate) places: Places,
}

/// Which device a job is for.
#[derive(Args, Debug, Default)]
pub(crate) struct DeviceArgs {
    /// The device: YAML as a LAVA worker receives it, or a Jinja2 dictionary (*.jinja2)
    #[arg(long, value_name = "FILE", conflicts_with = "device_type")]
    pub(crate) device: Option<PathBuf>,
    /// A device type of the library, instead of a device; the job's own when neither is given
    #[arg(long, value_name = "NAME")]
    pub(crate) device_type: Option<String>,
    /// The device of one role of a MultiNode job, instead of one of the role's device type
    #[arg(long, value_name = "ROLE=FILE", value_parser = role_device)]
    pub(crate) role_device: Vec<(String, PathBuf)>,
    /// A directory with more device types; they take precedence over those that ship with pumice
    #[arg(long, value_name = "DIR")]
    pub(crate) device_types: Vec<PathBuf>,
    /// A directory with more models; they take precedence over those that ship with pumice
    #[arg(long, value_name = "DIR")]
    pub(crate) models: Vec<PathBuf>,
    /// The configuration of this host [default: `$XDG_CONFIG_HOME/pumice/config.toml`]
    #[arg(long, value_name = "FILE", env = "PUMICE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// `ROLE=FILE`
fn role_device(text: &str) -> Result<(String, PathBuf), String> {
    let (role, file) = text.split_once('=').ok_or("write ROLE=FILE")?;
    Ok((role.to_owned(), PathBuf::from(file)))
}

impl DeviceArgs {
    /// The device file for a node of this role.
    pub(crate) fn file_for(&self, role: Option<&str>) -> Option<&PathBuf> {
        let own = self.role_device.iter().find(|(name, _)| Some(name.as_str()) == role);
        own.map(|(_, file)| file).or(self.device.as_ref())
    }

    /// The device types they lead to.
    pub(crate) fn library(&self) -> Library {
        Library { directories: self.device_types.clone() }
    }
}

/// What `pumice device` does.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Print a device as rendered YAML, as a worker receives it
    Render(DeviceRenderArgs),
    /// Show every mistake in devices, and where each wrong value came from
    Check(DeviceCheckArgs),
    /// List the device types there are
    List(DeviceListArgs),
}

/// Arguments of `pumice device render`.
#[derive(Args, Debug)]
pub(crate) struct DeviceRenderArgs {
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Set a key of the job's context; the value is YAML
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Arguments of `pumice device check`.
#[derive(Args, Debug)]
pub(crate) struct DeviceCheckArgs {
    /// The devices: dictionaries (*.jinja2) or rendered YAML; every device type when none is given
    pub(crate) devices: Vec<PathBuf>,
    /// A directory with more device types; they take precedence over those that ship with pumice
    #[arg(long, value_name = "DIR")]
    pub(crate) device_types: Vec<PathBuf>,
    /// Set a key of the job's context; the value is YAML
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CheckFormat,
}

/// Arguments of `pumice device list`.
#[derive(Args, Debug)]
pub(crate) struct DeviceListArgs {
    /// A directory with more device types; they take precedence over those that ship with pumice
    #[arg(long, value_name = "DIR")]
    pub(crate) device_types: Vec<PathBuf>,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Arguments of `pumice schema`.
#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// What the schema describes
    #[arg(value_enum)]
    pub(crate) of: SchemaOf,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A job definition
    Job,
    /// A device, rendered
    Device,
    /// A test definition
    TestDefinition,
}

/// Arguments of `pumice run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The job definition
    #[arg(required_unless_present = "model")]
    pub(crate) job: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// Directory for log, results and transcripts [default: ./pumice-N]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// The job's number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) job_id: i64,
    /// When the job or a test fails, keep the machines running for so many minutes
    #[arg(long, value_name = "MINUTES")]
    pub(crate) hold: Option<u32>,
    /// Show the output of the machine's main console
    #[arg(long, short)]
    pub(crate) console: bool,
    /// Print the results only
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Run one node of a MultiNode job: what `pumice run` starts for each
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) node: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) places: Places,
}

/// A job made on the command line: a model of the library and what it runs.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "A job without a file")]
pub(crate) struct ModelArgs {
    /// Make a job for this model of the library (`pumice model list`)
    #[arg(long, value_name = "NAME", conflicts_with = "job")]
    pub(crate) model: Option<String>,
    /// What the model's cores run: a boot-wrapper or a whole system
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) axf: Option<PathBuf>,
    /// The kernel
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) kernel: Option<PathBuf>,
    /// The device tree
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) dtb: Option<PathBuf>,
    /// The initial ramdisk
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) initrd: Option<PathBuf>,
    /// The root file system: an image, a tar archive or a directory
    #[arg(long, value_name = "PATH", requires = "model")]
    pub(crate) rootfs: Option<PathBuf>,
    /// The partition of that image with the root file system, from 0
    #[arg(long, value_name = "N", requires = "rootfs")]
    pub(crate) partition: Option<u32>,
    /// Take a file out of that image's partitions, by path or pattern: `axf=*.axf`, `kernel=/zImage`
    #[arg(long, value_name = "LABEL=PATTERN", requires = "rootfs")]
    pub(crate) extract: Vec<String>,
    /// Load a file at an address
    #[arg(long, value_name = "FILE@ADDRESS", requires = "model")]
    pub(crate) data: Vec<String>,
    /// Any other image that the model knows
    #[arg(long, value_name = "LABEL=FILE", requires = "model")]
    pub(crate) image: Vec<String>,
    /// The kernel command line
    #[arg(long, value_name = "TEXT", requires = "model")]
    pub(crate) append: Option<String>,
    /// Set a parameter of the model
    #[arg(long, value_name = "NAME=VALUE", requires = "model")]
    pub(crate) set: Vec<String>,
    /// A test to run: one that ships with pumice, or a directory
    #[arg(long, value_name = "NAME", requires = "model")]
    pub(crate) test: Vec<String>,
    /// A directory with more tests
    #[arg(long, value_name = "DIR", env = "PUMICE_TESTS")]
    pub(crate) tests: Vec<PathBuf>,
    /// The user to log in as; empty when a shell appears without a login
    #[arg(long, value_name = "USER", default_value = "root", requires = "model")]
    pub(crate) login: Option<String>,
    /// The shell's prompt, a regular expression
    #[arg(long, value_name = "PATTERN", default_value = r"root@[^\n]*[#$] ", requires = "model")]
    pub(crate) prompt: String,
    /// Time limit in minutes, for the boot and for the tests [default: the model's own for the boot, 15 for the
    /// tests]
    #[arg(long, value_name = "N", requires = "model")]
    pub(crate) minutes: Option<u32>,
    /// Print the job instead of running it
    #[arg(long, requires = "model")]
    pub(crate) print_job: bool,
}

impl ModelArgs {
    /// Whether it says what the model runs.
    pub(crate) fn has_images(&self) -> bool {
        let single = [&self.axf, &self.kernel, &self.dtb, &self.initrd, &self.rootfs];
        single.iter().any(|path| path.is_some()) || !self.image.is_empty() || !self.data.is_empty()
    }
}

/// Arguments of `pumice check`.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The job definitions
    #[arg(required = true)]
    pub(crate) jobs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: CheckFormat,
}

/// Arguments of `pumice plan`.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// The job definition
    pub(crate) job: PathBuf,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// The job's number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) job_id: i64,
    /// The output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Runs one job on one device, with the arguments of LAVA's runner
#[derive(Debug, Parser)]
#[command(name = "lava-run", version, max_term_width = 100)]
pub(crate) struct LavaRunArgs {
    /// The device, as a worker receives it
    #[arg(long, value_name = "FILE")]
    pub(crate) device: PathBuf,
    /// The job's number
    #[arg(long, value_name = "ID")]
    pub(crate) job_id: i64,
    /// Where log, description and result are written
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: PathBuf,
    /// The worker's own settings
    #[arg(long, value_name = "FILE")]
    pub(crate) dispatcher: Option<PathBuf>,
    /// Variables for the guest's shell (accepted, without effect)
    #[arg(long, value_name = "FILE")]
    pub(crate) env_dut: Option<PathBuf>,
    /// The LAVA server that the log is sent to
    #[arg(long, requires = "token")]
    pub(crate) url: Option<String>,
    /// The job's token at that server
    #[arg(long, requires = "url")]
    pub(crate) token: Option<String>,
    /// Send the log every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) job_log_interval: u64,
    /// Check the job and run nothing
    #[arg(long)]
    pub(crate) validate: bool,
    /// Accepted, without effect: nothing here needs root
    #[arg(long)]
    pub(crate) skip_sudo_warning: bool,
    /// Accepted, without effect
    #[arg(long)]
    pub(crate) debug: bool,
    /// The job definition
    pub(crate) job: PathBuf,
    #[command(flatten)]
    pub(crate) places: Places,
}

/// Where pumice keeps things between runs.
#[derive(Args, Debug, Default)]
pub(crate) struct Places {
    /// Directory for downloaded files, shared by all runs [default: `$XDG_CACHE_HOME/pumice`]
    #[arg(long, value_name = "DIR", env = "PUMICE_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// Directory for the state of runs: what they still have to clean up [default: `$XDG_STATE_HOME/pumice`]
    #[arg(long, value_name = "DIR", env = "PUMICE_STATE")]
    pub(crate) state: Option<PathBuf>,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How to print what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For code hosts and editors: SARIF 2.1.0
    Sarif,
}

pub(crate) fn main() -> ExitCode {
    // The same program under another name: LAVA's runner (lava-compat 3.1).
    let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if name.file_name().is_some_and(|name| name == "lava-run") {
        return commands::lava_run::main(&LavaRunArgs::parse());
    }
    match Cli::parse().command {
        Command::Run(args) => commands::run::main(&args).into(),
        Command::Check(args) => commands::check::main(&args).into(),
        Command::Plan(args) => commands::plan::main(&args).into(),
        Command::Lab(command) => commands::lab(&command),
        Command::Machine(command) => commands::machine::main(&command).into(),
        Command::Attach(args) => commands::machine::attach(&args).into(),
        Command::Device(command) => commands::device::main(&command).into(),
        Command::Schema(args) => commands::schema::main(&args).into(),
        Command::Lsp => commands::lsp::main().into(),
        Command::Model(args) => commands::model::main(&args).into(),
        Command::Doctor(args) => commands::doctor::main(&args).into(),
        Command::Completions { shell } => commands::shell::completions(&Cli::command(), shell).into(),
        Command::Manual { directory } => commands::shell::manual(Cli::command(), &directory).into(),
        Command::Network { what, words } if what == "keep" => pumice_network::namespace::keeper_main(&words),
        Command::Network { words, .. } => pumice_network::namespace::enter_main(&words),
        Command::Watch { ledger } => pumice_process::watcher_main(&ledger),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

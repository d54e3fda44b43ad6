//! The words of `pumice machine`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::lab::LabArgs;

/// What there is to do with the machines of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum MachineCommand {
    /// List the machines, their consoles, and whether they are held
    List(TargetArgs),
    /// Boot a stopped machine as the job says
    Start(TargetArgs),
    /// Stop a machine
    Stop(TargetArgs),
    /// Stop and boot a machine
    Restart(TargetArgs),
    /// Press the reset button
    Reset(TargetArgs),
    /// Hold the guest
    Pause(TargetArgs),
    /// Let the guest go on
    Resume(TargetArgs),
    /// Use a console; Ctrl-] leaves it
    Console(ConsoleArgs),
    /// Bring a file to the guest, or a new image to the machine
    Push(PushArgs),
    /// Fetch a file from the guest
    Pull(PullArgs),
    /// Run a command in the guest's shell and exit as it does
    Exec(ExecArgs),
    /// End the hold: the job goes on to its end
    Release(TargetArgs),
}

/// Which machine.
#[derive(Args, Debug)]
pub(crate) struct TargetArgs {
    /// A job's number in the lab, or the output directory of a run on this host
    #[arg(value_name = "JOB|DIR")]
    pub(crate) target: String,
    /// The machine, by its namespace, where the job has several
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) machine: Option<String>,
    #[command(flatten)]
    pub(crate) lab: LabArgs,
}

/// Arguments of `pumice machine console` and `pumice attach`.
#[derive(Args, Debug)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Another console than the main one (`pumice machine list` names them)
    #[arg(long, value_name = "NAME")]
    pub(crate) console: Option<String>,
    /// Read along, type nothing: somebody else may type
    #[arg(long)]
    pub(crate) read_only: bool,
    /// How much of what came before to show
    #[arg(long, value_name = "BYTES", default_value_t = 2048)]
    pub(crate) history: usize,
}

/// Arguments of `pumice machine push`.
#[derive(Args, Debug)]
pub(crate) struct PushArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The file to bring
    pub(crate) file: PathBuf,
    /// Where to, in the guest
    #[arg(required_unless_present = "image")]
    pub(crate) to: Option<String>,
    /// An image of the machine, by its label in the job; the next start uses it
    #[arg(long, value_name = "LABEL", conflicts_with = "to")]
    pub(crate) image: Option<String>,
}

/// Arguments of `pumice machine pull`.
#[derive(Args, Debug)]
pub(crate) struct PullArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The file in the guest
    pub(crate) path: String,
    /// Where to; a file of the same name here by default
    pub(crate) to: Option<PathBuf>,
}

/// Arguments of `pumice machine exec`.
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    /// The command; several words are passed as they are, a single one is a line for the guest's shell
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

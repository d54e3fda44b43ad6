//! The words of `pumice machine`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::lab::LabArgs;

/// What there is to do with the machines of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum MachineCommand {
    /// List the machines, their consoles, and whether they are held
    List(TargetArgs),
    /// Boot a stopped machine, as the job does
    Start(TargetArgs),
    /// Stop a machine
    Stop(TargetArgs),
    /// Stop and boot a machine
    Restart(TargetArgs),
    /// Press the reset button
    Reset(TargetArgs),
    /// Pause the guest
    Pause(TargetArgs),
    /// Resume a paused guest
    Resume(TargetArgs),
    /// Open a console; Ctrl-] leaves it
    Console(ConsoleArgs),
    /// Copy a file to the guest, or replace an image of the machine
    Push(PushArgs),
    /// Copy a file from the guest
    Pull(PullArgs),
    /// Run a command in the guest's shell; exits with its status
    Exec(ExecArgs),
    /// Release the machines: the job goes on to its end
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
    /// The console, by name (see `pumice machine list`) [default: the main one]
    #[arg(long, value_name = "NAME")]
    pub(crate) console: Option<String>,
    /// Only read; somebody else may be typing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Show so much of the earlier output first
    #[arg(long, value_name = "BYTES", default_value_t = 2048)]
    pub(crate) history: usize,
}

/// Arguments of `pumice machine push`.
#[derive(Args, Debug)]
pub(crate) struct PushArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The file to copy
    pub(crate) file: PathBuf,
    /// The path in the guest
    #[arg(required_unless_present = "image")]
    pub(crate) to: Option<String>,
    /// Replace the image with this label in the job; the next start uses it
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
    /// The path here [default: the same name in this directory]
    pub(crate) to: Option<PathBuf>,
}

/// Arguments of `pumice machine exec`.
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Time limit for the command, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    /// The command: several words are passed unchanged, a single one is run as a line of shell
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

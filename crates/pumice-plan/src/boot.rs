//! What a boot block will do.

use pumice_job::{AutoLogin, Bootloader, Kexec, MinimalBoot, TransferOverlay};
use pumice_types::Spanned;
use serde::Serialize;

use crate::{
    container::ContainerPlan,
    machine::{HostSeen, MachineSpec, OverlayDelivery},
    plan::OnTimeout,
    scope::Scope,
};

/// Brings a machine to where tests can run.
#[derive(Clone, Debug, Serialize)]
pub struct Boot {
    /// The block's scope, for example `boot-image-retry`.
    pub scope: Scope,
    /// How the machine or its console is got.
    pub kind: BootKind,
    /// Stops a boot loader and talks to it first.
    pub bootloader: Option<BootloaderPlan>,
    /// Waits for the guest and logs in; `None` when the job names no prompt.
    pub login: Option<Login>,
    /// Makes sure of the shell, `expect-shell-connection`; `None` when no test needs one.
    pub shell: Option<Scope>,
    /// Fetches the overlay from inside the guest, `overlay-unpack`.
    pub unpack: Option<Unpack>,
    /// Runs commands beside the machine; their console is the machine's from then on.
    pub beside: Vec<Beside>,
    /// Makes an overlay that came on a disk visible, before the first test.
    pub mount_overlay: Option<OverlayDelivery>,
    /// Exports the device's environment, `export-device-env`; `None` when no test needs a shell.
    pub environment: Option<Scope>,
    /// What to do when its time is over.
    pub on_timeout: OnTimeout,
}

/// How the machine or its console is got.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum BootKind {
    /// A platform starts it.
    Machine(Box<StartMachine>),
    /// Another console of a machine that runs: one of the device's `commands.connections`.
    NewConnection {
        /// Its name.
        name: Spanned<String>,
        /// What connects it, as words.
        command: Vec<String>,
    },
    /// The console of a machine that runs, reset first where the job asks so.
    Minimal {
        /// What the job says of it.
        instance: MinimalBoot,
        /// The device's commands run on this host first, each as words.
        pre_power: Vec<Vec<String>>,
        /// The device's commands run on this host once it has power, before the system is waited for.
        pre_os: Vec<Vec<String>>,
    },
    /// A new kernel from inside the guest.
    Kexec {
        /// What the job says of it.
        kexec: Box<Kexec>,
        /// Loads the kernel and starts it, `call-kexec`.
        call: Scope,
    },
    /// A shell in a container.
    Container {
        /// What runs in it, as words.
        command: Vec<String>,
        /// The container, its image as the deploy block of the namespace names it.
        container: Box<ContainerPlan>,
        /// The namespace whose downloads it sees; `None` for none.
        downloads_namespace: Option<String>,
        /// Patterns of the shell's prompt.
        prompts: Vec<Spanned<String>>,
        /// `docker-run`.
        scope: Scope,
    },
    /// A login over SSH to a machine that runs.
    Ssh {
        /// Whom to reach.
        target: Box<SshTarget>,
        /// Copies what was deployed to it and unpacks it there, `scp-deploy`; `None` when nothing is.
        copy: Option<Scope>,
        /// Opens the session, `primary-ssh`.
        connect: Scope,
    },
}

/// A machine that is reached over SSH, as the device's `actions.deploy.methods.ssh` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SshTarget {
    /// Its name or address; empty where another node says it.
    pub host: String,
    /// The message of another node of a MultiNode job that brings its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<AddressMessage>,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The private key on this host; `None` for those that the SSH program finds by itself.
    pub identity_file: Option<String>,
    /// Further arguments of the SSH program.
    pub options: Vec<String>,
}

/// The message by which one node of a MultiNode job tells another where its machine is (lava-compat 1.6, `hostID` and
/// `host_key`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressMessage {
    /// The message's id.
    pub id: String,
    /// The key of its data that holds the address.
    pub key: String,
}

/// A machine that a platform starts.
#[derive(Clone, Debug, Serialize)]
pub struct StartMachine {
    /// What to start.
    pub spec: MachineSpec,
    /// The level between block and start, where LAVA has one.
    pub group: Option<Scope>,
    /// Looks at the simulator first.
    pub version: Option<Scope>,
    /// Runs an installer, and waits for its end, before the machine is started from what it installed; `None` for what
    /// is installed already.
    pub install: Option<Install>,
    /// Starts it.
    pub start: Scope,
    /// Connects its console, where that is a step of its own.
    pub connect: Option<Scope>,
    /// Devices in the guest that may be the channel for signals.
    pub channel_devices: Vec<crate::ChannelDevice>,
    /// Where the guest sees this host.
    pub host: HostSeen,
    /// The licences it needs, as the operator's configuration names them: the platform's word and the device's.
    pub licences: Vec<String>,
    /// The container it runs in, where the job names one.
    pub container: Option<Box<ContainerPlan>>,
    /// Whether it must run there, also where this host has the program.
    pub needs_container: bool,
}

/// Runs something in the machine's container, which becomes the console.
#[derive(Clone, Debug, Serialize)]
pub struct Beside {
    /// Starts it.
    pub scope: Scope,
    /// What it is.
    pub what: BesideWhat,
}

/// What runs in a machine's container (lava-compat 10.2).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BesideWhat {
    /// A deployed file, by its label (`erpc_app`).
    File(String),
    /// Commands in the words of a shell, each run when the one before succeeded (`commands`).
    Commands(Vec<String>),
}

/// Runs an installer.
#[derive(Clone, Debug, Serialize)]
pub struct Install {
    /// Starts it, `execute-installer-command`.
    pub start: Scope,
    /// Waits for its end, `monitor-installer-connection`.
    pub end: Scope,
}

/// Waits for the guest and logs in (lava-compat 1.6).
#[derive(Clone, Debug, Serialize)]
pub struct Login {
    /// `auto-login-action`.
    pub scope: Scope,
    /// `login-action`.
    pub login_scope: Scope,
    /// What the kernel says first; `None` when it is not waited for.
    pub start_message: Option<String>,
    /// Patterns of a boot loader that failed.
    pub bootloader_errors: Vec<String>,
    /// Patterns of a shell's prompt.
    pub prompts: Vec<Spanned<String>>,
    /// How to log in; `None` when the prompt appears by itself.
    pub auto_login: Option<AutoLogin>,
    /// Whether messages of the kernel are let pass.
    pub ignore_kernel_messages: bool,
}

/// Fetches the overlay from inside the guest.
#[derive(Clone, Debug, Serialize)]
pub struct Unpack {
    /// `overlay-unpack`.
    pub scope: Scope,
    /// How.
    pub transfer: TransferOverlay,
}

/// Stops a boot loader and types commands into it.
#[derive(Clone, Debug, Serialize)]
pub struct BootloaderPlan {
    /// `bootloader-interrupt`.
    pub interrupt: Scope,
    /// `bootloader-commands`.
    pub commands: Scope,
    /// What the job says of it.
    pub bootloader: Bootloader,
}

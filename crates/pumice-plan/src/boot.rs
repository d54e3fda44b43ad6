//! What a boot block will do.

use std::collections::BTreeMap;

use pumice_types::Spanned;
use pumice_yaml::Node;
use serde::Serialize;

use crate::{
    machine::{MachineSpec, OverlayDelivery},
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
    /// Waits for the guest and logs in; `None` when the job names no prompt.
    pub login: Option<Login>,
    /// Makes sure of the shell, `expect-shell-connection`; `None` when no test needs one.
    pub shell: Option<Scope>,
    /// Fetches the overlay from inside the guest, `overlay-unpack`.
    pub unpack: Option<Unpack>,
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
        /// Whether it is reset.
        reset: bool,
    },
    /// A new kernel from inside the guest.
    Kexec {
        /// The words typed.
        command: String,
        /// What the new kernel says first.
        boot_message: String,
    },
    /// A shell in a container.
    Container {
        /// The whole block.
        block: Node,
        /// `docker-run`.
        scope: Scope,
    },
    /// A login over SSH to a machine that runs.
    Ssh {
        /// The device's `actions.deploy.methods.ssh`.
        device: Node,
        /// Opens the session, `login-ssh`.
        scope: Scope,
    },
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
    /// Starts it.
    pub start: Scope,
    /// Connects its console, where that is a step of its own.
    pub connect: Option<Scope>,
    /// Devices in the guest that may be the channel for signals.
    pub channel_devices: Vec<String>,
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
    /// A pattern that means the boot failed.
    pub failure_message: Option<Spanned<String>>,
}

/// How to log in.
#[derive(Clone, Debug, Serialize)]
pub struct AutoLogin {
    /// The pattern of the login's prompt.
    pub login_prompt: Spanned<String>,
    /// Who.
    pub username: String,
    /// The pattern of the password's prompt.
    pub password_prompt: Option<Spanned<String>>,
    /// The password; never printed.
    #[serde(skip)]
    pub password: Option<String>,
    /// Commands typed after the login, each up to the next prompt.
    pub commands: Vec<String>,
}

/// Fetches the overlay from inside the guest.
#[derive(Clone, Debug, Serialize)]
pub struct Unpack {
    /// `overlay-unpack`.
    pub scope: Scope,
    /// Typed with the URL behind it.
    pub download_command: String,
    /// Typed with the archive's name behind it.
    pub unpack_command: String,
}

/// Substitutions that a console's steps know: `{SERVER_IP}` and its like.
pub type Substitutions = BTreeMap<String, String>;

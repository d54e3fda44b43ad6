//! `boot` blocks (lava-compat 1.6, 10.2, 10.3).

use pumice_types::{Span, Spanned};
use pumice_yaml::Map;
use serde::Serialize;

use super::{Block, Container, Variable};

/// A `boot` block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Boot {
    /// What all blocks have.
    pub block: Block,
    /// How: a word of the table of the language.
    pub method: Spanned<String>,
    /// Patterns of the shell's prompt. Empty when no shell is waited for.
    pub prompts: Vec<Spanned<String>>,
    /// How to log in.
    pub auto_login: Option<AutoLogin>,
    /// How the guest fetches the overlay itself.
    pub transfer_overlay: Option<TransferOverlay>,
    /// Messages to wait for.
    pub messages: BootMessages,
    /// Whether kernel messages are no reason to fail.
    pub ignore_kernel_messages: bool,
    /// Commands that restart the system from its shell.
    pub soft_reboot: Vec<Spanned<String>>,
    /// What the root file system is on: `tmpfs`, `nfs`, `img`.
    pub media: Option<Spanned<String>>,
    /// The name of a connection of the device.
    pub connection: Option<Spanned<String>>,
    /// The container it runs in.
    pub container: Option<Container>,
    /// A boot loader to stop and talk to first. An extension.
    pub bootloader: Option<Bootloader>,
    /// The name of a model of the model library. An extension.
    pub model: Option<Spanned<String>>,
    /// What belongs to the method.
    pub detail: BootDetail,
    /// All keys as they were written, for what only one platform knows.
    #[serde(skip)]
    pub fields: Map,
}

/// What belongs to one method.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootDetail {
    /// Nothing more.
    #[default]
    Plain,
    /// A program that simulates a computer, with its arguments.
    Model(Box<ModelBoot>),
    /// A command in a container.
    Container(ContainerBoot),
    /// Another machine, reached over ssh.
    Ssh(SshBoot),
    /// A kernel started by the running one.
    Kexec(Box<Kexec>),
    /// A machine that starts by itself when it gets power.
    Minimal(MinimalBoot),
}

/// How to log in.
#[derive(Clone, PartialEq, Serialize)]
pub struct AutoLogin {
    /// Pattern of the login prompt.
    pub login_prompt: Spanned<String>,
    /// Who logs in.
    pub username: Spanned<String>,
    /// Pattern of the password prompt.
    pub password_prompt: Option<Spanned<String>>,
    /// The password. Never shown.
    #[serde(skip)]
    pub password: Option<Spanned<String>>,
    /// Typed after the login, each waiting for a prompt.
    pub login_commands: Vec<Spanned<String>>,
}

/// Never shows the password.
impl std::fmt::Debug for AutoLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AutoLogin")
            .field("login_prompt", &self.login_prompt.value)
            .field("username", &self.username.value)
            .finish_non_exhaustive()
    }
}

/// How the guest fetches the overlay itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransferOverlay {
    /// The command that downloads; the URL is appended.
    pub download_command: Spanned<String>,
    /// The command that unpacks; the file's name is appended.
    pub unpack_command: Spanned<String>,
    /// Over what.
    pub method: TransferMethod,
}

/// Over what the guest fetches the overlay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferMethod {
    /// HTTP
    #[default]
    Http,
    /// NFS
    Nfs,
    /// ZMODEM on the console.
    Zmodem,
}

/// Messages that a boot waits for (`parameters`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BootMessages {
    /// The kernel's first words, a pattern. Empty: do not wait for them. Absent: as the device says.
    pub kernel_start: Option<Spanned<String>>,
    /// The boot loader's last words.
    pub bootloader_final: Option<Spanned<String>>,
    /// What is said when the system goes down.
    pub shutdown: Option<Spanned<String>>,
}

/// A boot loader to stop and to talk to before the system starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bootloader {
    /// Pattern of the message that says how to stop it. Absent: it stops by itself.
    pub interrupt_prompt: Option<Spanned<String>>,
    /// What is typed to stop it; a newline when absent.
    pub interrupt_text: Option<Spanned<String>>,
    /// Pattern of its prompt.
    pub prompt: Spanned<String>,
    /// Typed one by one, each waiting for the prompt; after the last the system is waited for. `{label}` stands
    /// for the path of a deployed file.
    pub commands: Vec<Spanned<String>>,
    /// What ends a line that is typed.
    pub line_separator: LineSeparator,
}

/// What ends a line that is typed, in LAVA's words for its devices' boot loaders (`line_separator`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineSeparator {
    /// A newline.
    #[default]
    Unix,
    /// A carriage return and a newline: a UEFI shell takes nothing less for the end of a line.
    Dos,
}

impl LineSeparator {
    /// The characters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unix => "\n",
            Self::Dos => "\r\n",
        }
    }
}

/// A program that simulates a computer (lava-compat 10.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelBoot {
    /// The program, a path in the container or on the host.
    pub image: Option<Spanned<String>>,
    /// Its arguments as written, `{LABEL}` standing for the path of a deployed file.
    pub arguments: Vec<Spanned<String>>,
    /// Pattern of the line that announces the main console; its group `PORT` is the port.
    pub console_string: Option<Spanned<String>>,
    /// Patterns of the lines that announce the other consoles; groups `PORT` and `NAME`.
    pub feedbacks: Vec<Spanned<String>>,
    /// Whether the console is a port. Otherwise it is the program's output.
    pub use_telnet: bool,
    /// `NAME=value` of the licence server.
    pub license_variable: Option<Spanned<String>>,
    /// `NAME=value` each.
    pub environment: Vec<Spanned<String>>,
    /// A licence file or code.
    pub ubl_license: Option<Spanned<String>>,
    /// Pattern of the version in the output of the program.
    pub version_string: Option<Spanned<String>>,
    /// The arguments that make it print its version.
    pub version_args: Option<Spanned<String>>,
    /// Label of a deployed file to run beside the model as the console.
    pub erpc_app: Option<Spanned<String>>,
    /// Commands run beside the model as the console.
    pub commands: Vec<Spanned<String>>,
}

/// A command in a container, which is the machine or serves its network boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerBoot {
    /// The command.
    pub command: Spanned<String>,
    /// The namespace whose downloads it sees.
    pub downloads_namespace: Option<Spanned<String>>,
}

/// Another machine, reached over ssh.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SshBoot {
    /// The message of a MultiNode job that brings the host's address (`parameters.hostID`).
    pub host_id: Option<Spanned<String>>,
    /// The key of that message which holds the address (`parameters.host_key`).
    pub host_key: Option<Spanned<String>>,
    /// The name of a schroot to enter.
    pub schroot: Option<Spanned<String>>,
}

/// A kernel started by the running one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kexec {
    /// What is seen when it starts.
    pub boot_message: Spanned<String>,
    /// The program; by default `/sbin/kexec`.
    pub command: Option<Spanned<String>>,
    /// The kernel.
    pub kernel: Option<Spanned<String>>,
    /// The device tree.
    pub dtb: Option<Spanned<String>>,
    /// The initial ramdisk.
    pub initrd: Option<Spanned<String>>,
    /// Arguments of the program.
    pub options: Vec<Spanned<String>>,
    /// Lines to look for in the running kernel's configuration.
    pub kernel_config: Vec<Spanned<String>>,
    /// Load it for a panic.
    pub on_panic: bool,
    /// The files were deployed by the job.
    pub deploy: Vec<Variable>,
}

/// A machine that starts by itself when it gets power.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MinimalBoot {
    /// Run the device's command of this name before power.
    pub pre_power_command: bool,
    /// Run the device's command of this name before the system is waited for.
    pub pre_os_command: bool,
    /// Restart it, and not only connect.
    pub reset: bool,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

//! `boot` blocks (lava-compat 1.6, 10.2, 10.3).

use super::{
    ByWord, FILLED, Field, Method, Object, RunsOn, Shape, Table, Unknown, Word,
    blocks::{
        AUTO_LOGIN, BLOCK, CONTAINER, CONTAINER_COMMON, CONTAINER_IMAGE, NAMED_CONTAINER, TRANSFER_OVERLAY,
    },
    field, word,
};

/// Keys of every boot block.
const COMMON: &[Field] = &[
    field("method", Shape::Method(Table::Boot), "How the machine is started.").needed(),
    field("prompts", Shape::OneOrMore(&FILLED), "Patterns of the shell's prompt.").unchecked(),
    field("auto_login", Shape::Object(&AUTO_LOGIN), "How to log in."),
    field("transfer_overlay", Shape::Object(&TRANSFER_OVERLAY), "How the guest fetches the overlay itself.")
        .unchecked(),
    field("parameters", Shape::Object(&PARAMETERS), "Messages to wait for."),
    field("soft_reboot", Shape::OneOrMore(&Shape::Text), "Commands that restart the system from its shell.")
        .unchecked(),
    field("ignore_kernel_messages", Shape::Boolean, "Do not fail for what the kernel says.").unchecked(),
    field(
        "bootloader",
        Shape::Object(&BOOTLOADER),
        "A boot loader to stop and to talk to before the system starts.",
    )
    .extension(),
    field(
        "network",
        Shape::Anything,
        "The machine's network, in the words that devices describe theirs with.",
    )
    .extension(),
];

/// Where the method is not known: `commands` is the one more key that submission looks at.
const COMMANDS: &[Field] = &[field(
    "commands",
    Shape::OneOrMore(&Shape::Text),
    "Commands for the boot loader, or the name of a set of them.",
)];

const PARAMETERS: Object = Object {
    name: "`parameters`",
    unknown: Unknown::Warned,
    fields: &[&[
        field(
            "kernel-start-message",
            Shape::Text,
            "Pattern of the kernel's first words; empty: do not wait for them.",
        ),
        field("bootloader-final-message", Shape::Text, "Pattern of the boot loader's last words."),
        field("shutdown-message", Shape::Text, "Pattern of what is said when the system goes down."),
        field("hostID", Shape::Text, "The message of a MultiNode job that brings the address to connect to."),
        field("host_key", Shape::Text, "The key of that message which holds the address."),
    ]],
};

const BOOTLOADER: Object = Object {
    name: "`bootloader`",
    unknown: Unknown::Warned,
    fields: &[&[
        field("prompt", Shape::Text, "Pattern of the boot loader's prompt.").needed_by_strict(),
        field("interrupt_prompt", Shape::Text, "Pattern of the message that says how to stop it."),
        field("interrupt_text", Shape::Text, "What is typed to stop it; a newline by default."),
        field("commands", Shape::OneOrMore(&Shape::Text), "Typed one by one, each waiting for the prompt."),
        field("line_separator", Shape::Word(LINE_SEPARATORS), "What ends a line that is typed."),
    ]],
};

/// LAVA's words for its devices' boot loaders.
const LINE_SEPARATORS: &[Word] =
    &[word("unix", "A newline; the default."), word("dos", "A carriage return and a newline, for UEFI.")];

/// A boot block.
pub const BOOT: ByWord =
    ByWord { key: "method", what: "boot method", methods: BOOT_METHODS, otherwise: &OTHER };

const OTHER: Object =
    Object { name: "a boot block", unknown: Unknown::Free, fields: &[COMMON_OF_BOARDS, COMMANDS, BLOCK] };

/// As the common keys; `bootloader` is a word there.
const COMMON_OF_BOARDS: &[Field] =
    &[COMMON[0], COMMON[1], COMMON[2], COMMON[3], COMMON[4], COMMON[5], COMMON[6]];

const fn here(word: &'static str, own: &'static [&'static [Field]], doc: &'static str) -> Method {
    let object = Object { name: "a boot block", unknown: Unknown::Warned, fields: own };
    Method { word, runs_on: RunsOn::Virtual, object, doc }
}

const fn board(word: &'static str, doc: &'static str) -> Method {
    Method { word, runs_on: RunsOn::Board, object: OTHER, doc }
}

/// The words under `method`.
pub const BOOT_METHODS: &[Method] = &[
    here("qemu", &[QEMU, SERIAL, COMMON, BLOCK], "Start QEMU with the deployed images."),
    here("qemu-nfs", &[QEMU_NFS, SERIAL, COMMON, BLOCK], "Start QEMU with its root file system on NFS."),
    here("qemu-iso", &[QEMU_ISO, COMMON, BLOCK], "Start QEMU from the disk that was installed."),
    here("monitor", &[QEMU, SERIAL, COMMON, BLOCK], "Start QEMU for what it prints, without a shell."),
    here("fvp", &[FVP, COMMON, BLOCK], "Start a Fast Model or FVP."),
    here("command", &[SERIAL, COMMON, BLOCK], "Start the simulator that the device declares. An extension."),
    here("docker", &[DOCKER, COMMON, BLOCK], "Start a command in the deployed container image."),
    here("ssh", &[SSH, COMMON, BLOCK], "Log in over ssh."),
    here("schroot", &[SCHROOT, COMMON, BLOCK], "Enter a schroot of a machine that runs already."),
    here("new_connection", &[NEW_CONNECTION, COMMON, BLOCK], "Open one more console of the device."),
    here("minimal", &[MINIMAL, COMMON, BLOCK], "Give power and wait for the shell."),
    here("kexec", &[KEXEC, COMMON, BLOCK], "Start another kernel from the running one."),
    here("avh", &[AVH, COMMON, BLOCK], "Start a machine of Arm Virtual Hardware."),
    board("barebox", "Boot with barebox."),
    board("bootloader", "Boot into a boot loader."),
    board("cmsis-dap", "Flash over CMSIS-DAP."),
    board("depthcharge", "Boot with depthcharge."),
    board("dfu", "Flash over DFU."),
    board("fastboot", "Boot over fastboot."),
    board("gdb", "Start under gdb."),
    board("grub", "Boot with GRUB."),
    board("grub-efi", "Boot with GRUB under UEFI."),
    board("ipxe", "Boot with iPXE."),
    board("jlink", "Flash with a J-Link probe."),
    board("mps", "Boot an MPS board."),
    board("musca", "Boot a Musca board."),
    board("nodebooter", "Serve the network boot of a board from a container."),
    board("openocd", "Flash with OpenOCD."),
    board("pyocd", "Flash with pyOCD."),
    board("qdl", "Boot a Qualcomm board."),
    board("recovery", "Boot into the recovery mode."),
    board("u-boot", "Boot with U-Boot."),
    board("uefi", "Boot from the UEFI shell."),
    board("uefi-menu", "Boot from the UEFI menu."),
    board("uuu", "Boot with NXP's uuu."),
    board("lxc", "Start an LXC container; LAVA dropped it."),
];

const SERIAL: &[Field] = &[
    field("connection", Shape::Word(&[word("serial", "")]), "The connection to use.").unchecked(),
    field("docker", Shape::Object(&QEMU_CONTAINER), "The container QEMU runs in.").unchecked(),
];

const QEMU: &[Field] =
    &[field("media", Shape::Word(&[word("tmpfs", "")]), "What the root file system is on.").unchecked()];
const QEMU_NFS: &[Field] =
    &[field("media", Shape::Word(&[word("nfs", "")]), "What the root file system is on.").unchecked()];
const QEMU_ISO: &[Field] =
    &[field("media", Shape::Word(&[word("img", "")]), "What the root file system is on.").unchecked()];

const QEMU_CONTAINER: Object = Object {
    name: "a container",
    unknown: Unknown::Warned,
    fields: &[
        CONTAINER_IMAGE,
        CONTAINER_COMMON,
        &[field("binary", Shape::Text, "The program in the image.")],
    ],
};

const FVP: &[Field] = &[
    field(
        "docker",
        Shape::Object(&NAMED_CONTAINER),
        "The container with the model. Without it the model runs on the host.",
    )
    .unchecked(),
    field("model", Shape::Text, "The name of a model of the model library.").extension(),
    field("append", Shape::Text, "The kernel command line, for a model of the library.").extension(),
    field(
        "model_parameters",
        Shape::Mapping(&Shape::Anything),
        "Parameters by name, on top of those of the model of the library.",
    )
    .extension(),
    field("image", Shape::Text, "The path of the model.").unchecked().needed_by_strict(),
    field(
        "arguments",
        Shape::List(&Shape::Text),
        "Its arguments; `{LABEL}` in upper case is the path of a file.",
    )
    .unchecked()
    .needed_by_strict(),
    field(
        "console_string",
        Shape::Text,
        "Pattern of the line that announces the console; its group `PORT` is the port.",
    )
    .unchecked()
    .needed_by_strict(),
    field(
        "feedbacks",
        Shape::List(&Shape::Text),
        "Patterns of the lines that announce more consoles, with `PORT` and `NAME`.",
    )
    .unchecked(),
    field("use_telnet", Shape::Boolean, "Whether the console is a port; `false`: it is the model's output.")
        .unchecked(),
    field("license_variable", Shape::Text, "`NAME=value` of the licence server.").unchecked(),
    field("ubl_license", Shape::Text, "A licence file, or an activation code.").unchecked(),
    field("environment", Shape::List(&Shape::Text), "`NAME=value` each.").unchecked(),
    field("version_string", Shape::Text, "Pattern of the version in the model's output.").unchecked(),
    field("version_args", Shape::Text, "What makes the model print its version; `--version` by default.")
        .unchecked()
        .not_in_strict(),
    field(
        "erpc_app",
        Shape::Text,
        "The label of a file that is run beside the model and becomes the console.",
    )
    .unchecked(),
    field(
        "commands",
        Shape::List(&Shape::Text),
        "Commands that are run beside the model and become the console.",
    )
    .loosely(Shape::OneOrMore(&Shape::Text)),
];

const DOCKER: &[Field] = &[
    field("command", Shape::Text, "The command to start.").unchecked().needed_by_strict(),
    field("downloads-namespace", Shape::Text, "The namespace whose downloads it sees.").unchecked(),
];

const SSH: &[Field] = &[];

const SCHROOT: &[Field] =
    &[field("schroot", Shape::Text, "The name of the schroot.").unchecked().needed_by_strict()];

const NEW_CONNECTION: &[Field] =
    &[field("connection", Shape::Text, "The name of a connection of the device.")
        .unchecked()
        .needed_by_strict()];

const MINIMAL: &[Field] = &[
    field(
        "pre_power_command",
        Shape::Boolean,
        "Run the device's command of this name before power is given.",
    )
    .unchecked(),
    field(
        "pre_os_command",
        Shape::Boolean,
        "Run the device's command of this name before the system is waited for.",
    )
    .unchecked(),
    field("reset", Shape::Boolean, "Restart the machine; `true` by default.").unchecked(),
];

const KEXEC: &[Field] = &[
    field("boot_message", Shape::Text, "What is seen when the new kernel starts.")
        .unchecked()
        .needed_by_strict(),
    field("command", Shape::Text, "The program; `/sbin/kexec` by default.").unchecked(),
    field("kernel", Shape::Text, "The path of the kernel on the guest.").unchecked(),
    field("dtb", Shape::Text, "The path of the device tree on the guest.").unchecked(),
    field("initrd", Shape::Text, "The path of the initial ramdisk on the guest.").unchecked(),
    field("options", Shape::List(&Shape::Text), "Arguments of the program.").unchecked(),
    field(
        "kernel-config",
        Shape::OneOrMore(&Shape::Text),
        "Lines the running kernel's configuration must have.",
    )
    .unchecked(),
    field("on_panic", Shape::Boolean, "Load the kernel for a panic.").unchecked(),
    field("deploy", Shape::Anything, "Files that the job deployed.").unchecked(),
];

const AVH: &[Field] = &[
    field("bootargs", Shape::Object(&AVH_BOOTARGS), "Kernel arguments.").unchecked(),
    field("docker", Shape::Object(&CONTAINER), "The container with the console client.").unchecked(),
];

const AVH_BOOTARGS: Object = Object {
    name: "the kernel arguments of Arm Virtual Hardware",
    unknown: Unknown::Warned,
    fields: &[&[
        field("normal", Shape::Text, "Kernel arguments of a normal start."),
        field("restore", Shape::Text, "Kernel arguments of a restore."),
    ]],
};

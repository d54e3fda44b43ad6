//! `deploy` blocks (lava-compat 1.5, 10.1, 10.3).

use super::{
    ByWord, COUNT, Field, Method, Object, RunsOn, Shape, Table, Unknown,
    blocks::{
        BLOCK, CONTAINER_COMMON, CONTAINER_IMAGE, IMAGE_WITH_ARGUMENT, IMAGES, IMAGES_WITH_ARGUMENTS,
        RESOURCE, URL,
    },
    field, word,
};

/// Keys of every deploy block.
const COMMON: &[Field] = &[
    field("to", Shape::Method(Table::Deploy), "How the files are deployed.").needed(),
    field(
        "os",
        Shape::Text,
        "The operating system of the guest, which says what its shell is and where results go.",
    )
    .unchecked(),
    field("authorize", Shape::Word(&[word("ssh", "")]), "Put the public key of the lab into the overlay.")
        .unchecked(),
    field(
        "overlay_backend",
        Shape::Word(&[word("auto", ""), word("e2fsprogs", ""), word("guestfs", "")]),
        "How LAVA writes into images; here all are written in user space.",
    )
    .unchecked(),
];

/// A deploy block.
pub const DEPLOY: ByWord =
    ByWord { key: "to", what: "deployment", methods: DEPLOY_METHODS, otherwise: &OTHER };

const OTHER: Object =
    Object { name: "a deploy block", unknown: Unknown::Free, fields: &[BOARD, COMMON, BLOCK] };

/// The files that boards are given most often. They are looked at so that all mistakes of a job are told at once.
const BOARD: &[Field] = &[
    field("images", Shape::Mapping(&Shape::Object(&BOARD_FILE)), "The images, by a label of your own.")
        .unchecked(),
    field("kernel", Shape::Object(&BOARD_FILE), "The kernel to be started.").unchecked(),
    field("dtb", Shape::Object(&BOARD_FILE), "The device tree.").unchecked(),
    field("ramdisk", Shape::Object(&BOARD_FILE), "The initial ramdisk.").unchecked(),
    field("initrd", Shape::Object(&BOARD_FILE), "The initial ramdisk.").unchecked(),
    field("modules", Shape::Object(&BOARD_FILE), "Kernel modules.").unchecked(),
    field("nfsrootfs", Shape::Object(&BOARD_FILE), "The root file system, an archive.").unchecked(),
    field("nbdroot", Shape::Object(&BOARD_FILE), "The root file system, an image.").unchecked(),
];

const BOARD_FILE: Object = Object {
    name: "a file",
    unknown: Unknown::Warned,
    fields: &[
        URL,
        &[
            field(
                "type",
                Shape::Word(&[word("image", ""), word("uimage", ""), word("zimage", "")]),
                "What kind of kernel image it is.",
            ),
            field("header", Shape::Word(&[word("u-boot", "")]), "The header the ramdisk has."),
            field("install_modules", Shape::Boolean, "Put the modules into it."),
            field("install_overlay", Shape::Boolean, "Put the overlay with the tests into it."),
            field("prefix", Shape::Text, "The directory of the archive to use."),
            field("apply-overlay", Shape::Boolean, "Put the overlay with the tests into it."),
            field("sparse", Shape::Boolean, "Whether it is an Android sparse image."),
            field("reboot", Shape::Text, "How to restart the board after it was flashed."),
            field("root_partition", Shape::Whole(0, 127), "Which partition holds the root file system."),
        ],
    ],
};

const fn here(word: &'static str, own: &'static [&'static [Field]], doc: &'static str) -> Method {
    let object = Object { name: "a deploy block", unknown: Unknown::Warned, fields: own };
    Method { word, runs_on: RunsOn::Virtual, object, doc }
}

const fn board(word: &'static str, doc: &'static str) -> Method {
    Method { word, runs_on: RunsOn::Board, object: OTHER, doc }
}

/// The words under `to`.
pub const DEPLOY_METHODS: &[Method] = &[
    here("tmpfs", &[TMPFS, COMMON, BLOCK], "Fetch images and hand them to a simulator."),
    here(
        "downloads",
        &[DOWNLOADS, COMMON, BLOCK],
        "Fetch files for later blocks, and work on them in a container.",
    ),
    here("fvp", &[FVP, COMMON, BLOCK], "Fetch the files that a Fast Model or FVP is started with."),
    here("nfs", &[NFS, COMMON, BLOCK], "Fetch a root file system and serve it over NFS."),
    here("iso-installer", &[ISO, COMMON, BLOCK], "Install a system from an ISO image onto an empty disk."),
    here("docker", &[DOCKER, COMMON, BLOCK], "Pull a container image."),
    here("overlay", &[COMMON, BLOCK], "Make the overlay with the tests and nothing else."),
    here("ssh", &[SSH, COMMON, BLOCK], "Copy files to a machine that runs already."),
    here("avh", &[AVH, COMMON, BLOCK], "Make a firmware package for Arm Virtual Hardware."),
    board("tftp", "Serve kernel and ramdisk to a boot loader over TFTP."),
    board("nbd", "Serve a root file system as a network block device."),
    board("fastboot", "Flash images over fastboot."),
    board("flasher", "Flash images by commands of the device."),
    board("sata", "Write an image to a SATA disk."),
    board("sd", "Write an image to an SD card."),
    board("usb", "Write an image to a USB disk."),
    board("usbg-ms", "Offer an image as a USB mass storage gadget."),
    board("download", "Fetch files for a board that is flashed later."),
    board("u-boot-ums", "Write an image to storage that U-Boot offers over USB."),
    board("uuu", "Flash images with NXP's uuu."),
    board("qdl", "Flash images with Qualcomm's qdl."),
    board("recovery", "Flash images in the recovery mode of the board."),
    board("mps", "Put images onto the SD card of an MPS board."),
    board("musca", "Put an image onto a Musca board."),
    board("vemsd", "Put images onto the SD card of a Versatile Express board."),
    board("barebox", "Flash images with barebox."),
    board("lxc", "Make an LXC container; LAVA dropped it."),
];

const TMPFS: &[Field] = &[
    field("images", IMAGES_WITH_ARGUMENTS, "The images, by a label of your own.")
        .unchecked()
        .needed_by_strict(),
    field("type", Shape::Word(&[word("monitor", "Run it for what it prints.")]), "What the images are for.")
        .unchecked(),
    field("uefi", Shape::Object(&RESOURCE), "UEFI firmware.").unchecked(),
];

const DOWNLOADS: &[Field] = &[
    field("images", Shape::Mapping(&Shape::Object(&RESOURCE)), "The files, by a label of your own.")
        .unchecked()
        .needed_by_strict(),
    field("uniquify", Shape::Boolean, "Give each file a directory of its own; `false` by default.")
        .unchecked(),
    field("postprocess", Shape::Object(&POSTPROCESS), "What is done to the files once they are here.")
        .unchecked(),
];

const POSTPROCESS: Object = Object {
    name: "`postprocess`",
    unknown: Unknown::Warned,
    fields: &[&[field("docker", Shape::Object(&POSTPROCESS_CONTAINER), "The container the steps run in.")
        .needed_by_strict()]],
};

const POSTPROCESS_CONTAINER: Object = Object {
    name: "a container with steps",
    unknown: Unknown::Warned,
    fields: &[
        CONTAINER_IMAGE,
        CONTAINER_COMMON,
        &[field("steps", Shape::List(&Shape::Text), "Shell commands, run in the directory of the files.")
            .needed_by_strict()],
    ],
};

const FVP: &[Field] = &[
    field(
        "images",
        IMAGES,
        "The files, by a label of your own; in upper case it stands for the path in arguments.",
    )
    .unchecked()
    .needed_by_strict(),
    field("uniquify", Shape::Boolean, "Give each file a directory of its own; `true` by default.")
        .unchecked(),
    field("ramdisk", Shape::Anything, "LAVA accepts it and does nothing with it.").unchecked(),
];

const NFS: &[Field] = &[
    field("images", Shape::Object(&NFS_IMAGES), "The kernel, the ramdisk and the root file system.")
        .unchecked(),
    field("nfsrootfs", Shape::Object(&RESOURCE), "The root file system, an archive.").unchecked(),
    field("modules", Shape::Object(&RESOURCE), "Kernel modules to put into it.").unchecked(),
];

const NFS_IMAGES: Object = Object {
    name: "the images of an NFS deployment",
    unknown: Unknown::Warned,
    fields: &[&[
        field("nfsrootfs", Shape::Object(&IMAGE_WITH_ARGUMENT), "The root file system, an archive.")
            .needed_by_strict(),
        field("kernel", Shape::Object(&IMAGE_WITH_ARGUMENT), "The kernel to be started."),
        field("initrd", Shape::Object(&IMAGE_WITH_ARGUMENT), "The initial ramdisk."),
    ]],
};

const ISO: &[Field] = &[
    field("images", Shape::Object(&ISO_IMAGES), "The ISO image and the answers to its questions.")
        .unchecked()
        .needed_by_strict(),
    field("iso", Shape::Object(&ISO_INSTALL), "What to start from the image, and the disk to install to.")
        .unchecked()
        .needed_by_strict(),
];

const ISO_IMAGES: Object = Object {
    name: "the images of an installation",
    unknown: Unknown::Warned,
    fields: &[&[
        field("iso", Shape::Object(&IMAGE_WITH_ARGUMENT), "The ISO image to install from.")
            .needed_by_strict(),
        field("preseed", Shape::Object(&RESOURCE), "The answers to the installer's questions."),
    ]],
};

const ISO_INSTALL: Object = Object {
    name: "`iso`",
    unknown: Unknown::Warned,
    fields: &[&[
        field("kernel", Shape::Text, "The path of the kernel in the ISO image.").needed_by_strict(),
        field("initrd", Shape::Text, "The path of the initial ramdisk in the ISO image.").needed_by_strict(),
        field("installation_size", Shape::Text, "The size of the disk, for example `4G`; at most `8G`.")
            .needed_by_strict(),
        field("tries", COUNT, "How often to try the installation.").not_in_strict(),
    ]],
};

const DOCKER: &[Field] = &[field(
    "image",
    Shape::Either(&[Shape::ContainerImage, Shape::Object(&super::blocks::NAMED_CONTAINER)]),
    "The container image, or a mapping with its `name`.",
)
.unchecked()
.needed_by_strict()];

const SSH: &[Field] = &[
    field("firmware", Shape::Object(&RESOURCE), "A firmware archive to unpack on the machine.").unchecked(),
    field("kernel", Shape::Object(&RESOURCE), "A kernel to copy to the machine.").unchecked(),
    field("rootfs", Shape::Object(&RESOURCE), "An archive to unpack on the machine.").unchecked(),
    field("modules", Shape::Object(&RESOURCE), "Kernel modules to unpack on the machine.").unchecked(),
];

const AVH: &[Field] = &[
    field("options", Shape::Object(&AVH_OPTIONS), "Which virtual board to make.").unchecked(),
    field("images", Shape::Object(&AVH_IMAGES), "Kernel, device tree and root file system.").unchecked(),
    field("fw_package", Shape::Object(&AVH_PACKAGE), "A firmware package instead of images.").unchecked(),
];

const AVH_OPTIONS: Object = Object {
    name: "the options of Arm Virtual Hardware",
    unknown: Unknown::Warned,
    fields: &[&[
        field("model", Shape::Text, "The model, for example `kronos`."),
        field("api_endpoint", Shape::Text, "The address of the service."),
        field("project_name", Shape::Text, "The project there."),
    ]],
};

const ROOT_PARTITION: &[Field] =
    &[field("root_partition", Shape::Whole(0, 127), "Which partition holds the root file system, from 0.")];

const AVH_IMAGES: Object = Object {
    name: "the images of Arm Virtual Hardware",
    unknown: Unknown::Warned,
    fields: &[&[
        field("kernel", Shape::Object(&RESOURCE), "The kernel to be started.").needed_by_strict(),
        field("dtb", Shape::Object(&RESOURCE), "The device tree.").needed_by_strict(),
        field("rootfs", Shape::Object(&AVH_ROOTFS), "The disk with the root file system.").needed_by_strict(),
    ]],
};

const AVH_ROOTFS: Object =
    Object { name: "an image", unknown: Unknown::Warned, fields: &[URL, ROOT_PARTITION] };

const AVH_PACKAGE: Object = Object {
    name: "a firmware package",
    unknown: Unknown::Warned,
    fields: &[URL, ROOT_PARTITION, &[field("storage_file", Shape::Text, "The disk within the package.")]],
};

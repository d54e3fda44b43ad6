//! What several blocks have: the common keys, files, containers, logins.

use super::{COUNT, FILLED, Field, Object, Shape, Unknown, Word, field, word};

/// Keys of every block (lava-compat 1.3).
pub(super) const BLOCK: &[Field] = &[
    field(
        "namespace",
        Shape::Text,
        "The machine it works on, by a name of your own. Either every block has one or none.",
    )
    .unchecked(),
    field("connection-namespace", Shape::Text, "The namespace whose console it uses instead of its own.")
        .unchecked(),
    field("role", Shape::OneOrMore(&Shape::Text), "The roles of a MultiNode job that the block is for.")
        .unchecked(),
    field(
        "protocols",
        Shape::Mapping(&PROTOCOL_REQUESTS),
        "What is asked of a protocol when an action starts.",
    )
    .unchecked(),
    field("timeout", Shape::Timeout, "How long the block may take; it holds for each action in it too."),
    field("timeouts", Shape::NamedTimeouts, "How long actions in the block may take, by their names.")
        .unchecked(),
    field("repeat", COUNT, "Run the block that often, whatever comes of it.").unchecked(),
    field("failure_retry", COUNT, "Try the block that often, until it works.").unchecked(),
    field("failure_retry_interval", COUNT, "How many seconds to wait between tries; 1 by default.")
        .unchecked(),
    field("inactivity", Shape::Timeout, "How long every console may be silent before the block ends.")
        .extension(),
];

const PROTOCOL_REQUESTS: Shape = Shape::List(&Shape::Object(&PROTOCOL_REQUEST));

const PROTOCOL_REQUEST: Object = Object {
    name: "a protocol request",
    unknown: Unknown::Warned,
    fields: &[&[
        field("action", Shape::Text, "The name of the action at whose start the request is made.")
            .needed_by_strict(),
        field("request", Shape::Word(REQUESTS), "What is asked for.").needed_by_strict(),
        field("messageID", Shape::Text, "The message that is sent or waited for."),
        field(
            "message",
            Shape::Mapping(&Shape::Anything),
            "What is sent with it, or, as `$name`, taken from it.",
        ),
        field("role", Shape::Text, "Whose message is waited for."),
        field("timeout", Shape::Timeout, "How long to wait."),
        field("expect_role", Shape::Text, "The role that is waited for before this one starts."),
    ]],
};

const REQUESTS: &[Word] = &[
    word("lava-send", "Send a message to all nodes."),
    word("lava-wait", "Wait for a message from any node."),
    word("lava-wait-all", "Wait for a message from every node."),
    word("lava-sync", "Wait until every node is here."),
    word("lava-start", "Wait until another role is ready."),
    word("pre-power-command", ""),
    word("pre-os-command", ""),
    word("nbd_set_port", ""),
];

/// Ways a file can be compressed.
pub(super) const COMPRESSION: Shape = Shape::Nullable(&Shape::Word(&[
    word("bz2", "bzip2"),
    word("gz", "gzip"),
    word("xz", "xz"),
    word("zip", "A zip archive of one file."),
    word("zstd", "Zstandard"),
]));

/// Keys of a file (lava-compat 1.5).
pub(super) const URL: &[Field] = &[
    field("url", Shape::Text, "Where the file is: `http`, `https`, `file`, `scp`, `rclone` or `downloads`.")
        .needed_by_strict(),
    field("headers", Shape::Mapping(&Shape::Text), "HTTP headers to send."),
    field("compression", COMPRESSION, "How the file is compressed; it is unpacked while it is fetched."),
    field("archive", Shape::Word(&[word("tar", "A tar archive.")]), "Whether the file is an archive."),
    field("md5sum", Shape::Text, "The MD5 digest of the file as it is fetched."),
    field("sha256sum", Shape::Text, "The SHA-256 digest of the file as it is fetched."),
    field("sha512sum", Shape::Text, "The SHA-512 digest of the file as it is fetched."),
    field("use_cache", Shape::Boolean, "Whether a cache may answer for the server."),
];

/// What else is made of a file; ours.
const MADE: &[Field] = &[
    field(
        "extract",
        Shape::Mapping(&Shape::Text),
        "Files to take out of this disk image, each a label of your own with a path such as `/boot/zImage` or a \
         pattern such as `*.dtb`. They are images like any other then.",
    )
    .extension(),
    field(
        "filesystem",
        Shape::Word(&[
            word("ext2", "An ext2 file system, without a journal."),
            word("ext4", "An ext4 file system."),
        ]),
        "The file system that is made of this tar archive.",
    )
    .extension(),
];

/// Where `extract` looks, for an image without overlays.
const WHERE: &[Field] = &[field(
    "partition",
    Shape::Whole(0, 127),
    "The partition that `extract` looks in, from 0; all when not given.",
)
.extension()];

/// A file.
pub(super) const RESOURCE: Object = Object { name: "a file", unknown: Unknown::Warned, fields: &[URL] };

const IMAGE_ARG: &[Field] = &[field(
    "image_arg",
    Shape::Text,
    "The argument that hands the file to the simulator; `{label}` is its path.",
)];

pub(super) const OVERLAID: &[Field] = &[
    field("format", Shape::Word(FORMATS), "What kind of image it is.").needed_by_strict(),
    field("partition", Shape::Whole(0, 127), "Which partition holds the root file system, from 0."),
    field("sparse", Shape::Boolean, "Whether it is an Android sparse image."),
    field("overlays", Shape::Object(&OVERLAYS), "What is put into the image before it is used.")
        .needed_by_strict(),
];

const FORMATS: &[Word] = &[
    word("cpio.newc", "A cpio archive, as of an initramfs."),
    word("ext4", "An ext4 file system, or a disk with one."),
    word("tar", "A tar archive."),
];

const OVERLAYS: Object = Object {
    name: "the overlays of an image",
    unknown: Unknown::Each(&Shape::Object(&OVERLAY)),
    fields: &[&[field("lava", Shape::Boolean, "The overlay with the tests.")]],
};

/// An entry of `overlays` that is not `lava`.
const OVERLAY: Object = Object {
    name: "an overlay",
    unknown: Unknown::Warned,
    fields: &[
        URL,
        &[
            field(
                "format",
                Shape::Word(&[word("file", "One file."), word("tar", "An archive to unpack.")]),
                "What it is.",
            )
            .needed_by_strict(),
            field("path", Shape::Text, "Where it goes, an absolute path in the image.").needed_by_strict(),
        ],
    ],
};

/// A file that is handed to a simulator.
pub(super) const IMAGE_WITH_ARGUMENT: Object =
    Object { name: "an image", unknown: Unknown::Warned, fields: &[URL, IMAGE_ARG, MADE, WHERE] };

/// The same where no argument hands it over.
const IMAGE: Object = Object { name: "an image", unknown: Unknown::Warned, fields: &[URL, MADE, WHERE] };

const IMAGE_WITH_OVERLAYS_AND_ARGUMENT: Object =
    Object { name: "an image", unknown: Unknown::Warned, fields: &[URL, IMAGE_ARG, OVERLAID, MADE] };

const IMAGE_WITH_OVERLAYS: Object =
    Object { name: "an image", unknown: Unknown::Warned, fields: &[URL, OVERLAID, MADE] };

/// Images of which each may have an argument and overlays.
pub(super) const IMAGES_WITH_ARGUMENTS: Shape = Shape::Mapping(&Shape::ByKey(&super::ByKey {
    variants: &[("overlays", IMAGE_WITH_OVERLAYS_AND_ARGUMENT)],
    otherwise: Some(&IMAGE_WITH_ARGUMENT),
}));

/// Images of which each may have overlays.
pub(super) const IMAGES: Shape = Shape::Mapping(&Shape::ByKey(&super::ByKey {
    variants: &[("overlays", IMAGE_WITH_OVERLAYS)],
    otherwise: Some(&IMAGE),
}));

/// Keys of a container beside the image.
pub(super) const CONTAINER_COMMON: &[Field] = &[
    field("local", Shape::Boolean, "Use the image that is here, and pull it only when there is none."),
    field("container_name", Shape::Text, "The name the container gets, or its beginning."),
    field("network_from", Shape::Text, "The namespace whose container it shares its network with."),
    field("login", Shape::Object(&LOGIN), "How to log in to the registry."),
];

const LOGIN: Object = Object {
    name: "a registry login",
    unknown: Unknown::Warned,
    fields: &[&[
        field("registry", Shape::Text, "The registry, a host name.").needed_by_strict(),
        field("user", Shape::Text, "Who logs in there.").needed_by_strict(),
        field("password", Shape::Text, "The password; better the name of a secret.").needed_by_strict(),
    ]],
};

pub(super) const CONTAINER_IMAGE: &[Field] =
    &[field("image", Shape::ContainerImage, "The container image.").needed_by_strict()];

/// A container.
pub(super) const CONTAINER: Object =
    Object { name: "a container", unknown: Unknown::Warned, fields: &[CONTAINER_IMAGE, CONTAINER_COMMON] };

/// A container whose image stands under `name`.
pub(super) const NAMED_CONTAINER: Object = Object {
    name: "a container",
    unknown: Unknown::Warned,
    fields: &[
        &[field("name", Shape::ContainerImage, "The container image.").needed_by_strict()],
        CONTAINER_COMMON,
    ],
};

/// How to log in (lava-compat 1.6).
pub(super) const AUTO_LOGIN: Object = Object {
    name: "`auto_login`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("login_prompt", FILLED, "Pattern of the login prompt.").loosely(Shape::Text).needed(),
        field("username", FILLED, "Who logs in.").loosely(Shape::Text).needed(),
        field("password_prompt", FILLED, "Pattern of the password prompt.").loosely(Shape::Text),
        field("password", FILLED, "The password to be typed.").loosely(Shape::Text),
        field(
            "login_commands",
            Shape::List(&Shape::Text),
            "Typed after the login, each waiting for a prompt.",
        ),
    ]],
};

/// How the guest fetches the overlay itself.
pub(super) const TRANSFER_OVERLAY: Object = Object {
    name: "`transfer_overlay`",
    unknown: Unknown::Warned,
    fields: &[&[
        field("download_command", Shape::Text, "The command that downloads; the URL is put behind it.")
            .needed_by_strict(),
        field("unpack_command", Shape::Text, "The command that unpacks; the file is put behind it.")
            .needed_by_strict(),
        field(
            "transfer_method",
            Shape::Word(&[word("http", ""), word("nfs", ""), word("zmodem", "On the console.")]),
            "Over what the overlay travels; `http` by default.",
        ),
    ]],
};

//! `test` blocks (lava-compat 1.7) and the test definitions in them (4.5).

use super::{
    ByKey, ByWord, FILLED, Field, Loose, Method, Needed, Object, RunsOn, Shape, Table, Unknown, Word,
    blocks::{BLOCK, COMPRESSION, CONTAINER_COMMON, CONTAINER_IMAGE},
    field, word,
};

/// A test block.
pub const TEST: ByKey = ByKey {
    otherwise: None,
    variants: &[
        ("definitions", object(&[DEFINITIONS, CONTAINER, BLOCK])),
        ("monitors", object(&[MONITORS, BLOCK])),
        ("interactive", object(&[INTERACTIVE, BLOCK])),
        ("services", object(&[SERVICES, BLOCK])),
        ("commands", object(&[COMMANDS, BLOCK])),
    ],
};

const fn object(fields: &'static [&'static [Field]]) -> Object {
    Object { name: "a test block", unknown: Unknown::Warned, fields }
}

const DEFINITIONS: &[Field] = &[field(
    "definitions",
    Shape::List(&Shape::ByWord(&DEFINITION)),
    "Test definitions, run one after the other.",
)
.needed()];

const CONTAINER: &[Field] = &[
    field("docker", Shape::Object(&TEST_CONTAINER), "Run the tests in a container beside the machine.")
        .unchecked(),
    field("downloads-namespace", Shape::Text, "The namespace whose downloads the container sees.")
        .unchecked(),
    field("disconnect_connection", Shape::Boolean, "Close the console, so that the tests may open it.")
        .unchecked(),
];

const TEST_CONTAINER: Object = Object {
    name: "a container",
    unknown: Unknown::Warned,
    fields: &[
        CONTAINER_IMAGE,
        CONTAINER_COMMON,
        &[field("devices", Shape::List(&Shape::Text), "Devices of the host it may use.").not_in_strict()],
    ],
};

/// One of `definitions`.
pub const DEFINITION: ByWord = ByWord {
    key: "from",
    what: "source of test definitions",
    otherwise: &OTHER_DEFINITION,
    methods: &[
        source("git", &[TEXT_REPOSITORY, GIT, DEFINITION_COMMON], "A git repository."),
        source("url", &[TEXT_REPOSITORY, URL, DEFINITION_COMMON], "An archive to be downloaded."),
        source("inline", &[INLINE_REPOSITORY, DEFINITION_COMMON], "The job itself."),
    ],
};

const fn source(word: &'static str, fields: &'static [&'static [Field]], doc: &'static str) -> Method {
    let object = Object { name: "a test definition", unknown: Unknown::Warned, fields };
    Method { word, runs_on: RunsOn::Virtual, object, doc }
}

const OTHER_DEFINITION: Object = Object {
    name: "a test definition",
    unknown: Unknown::Free,
    fields: &[&[LOOSE_REPOSITORY], DEFINITION_COMMON],
};

/// What submission takes for a repository, wherever the definition is from.
const ANY_REPOSITORY: Shape = Shape::Either(&[Shape::Text, Shape::Object(&LOOSE_INLINE)]);

const LOOSE_REPOSITORY: Field =
    field("repository", ANY_REPOSITORY, "Where the definition is, or the definition itself.").needed();

const TEXT_REPOSITORY: &[Field] =
    &[field("repository", Shape::Text, "Where the definition is: a URL or a path.")
        .needed()
        .loosely(ANY_REPOSITORY)];

const INLINE_REPOSITORY: &[Field] =
    &[field("repository", Shape::Object(&INLINE), "The definition itself.").needed().loosely(ANY_REPOSITORY)];

const DEFINITION_COMMON: &[Field] = &[
    field("name", Shape::Identifier, "The name of the suite: letters, digits, `-`, `_`, `.`.")
        .needed()
        .loosely(Shape::Text),
    field(
        "from",
        Shape::Method(Table::Definition),
        "Where the definition comes from: `git`, `url` or `inline`.",
    )
    .needed(),
    field("path", Shape::Text, "The file of the definition.").needed(),
    field("parameters", Shape::Mapping(&Shape::Anything), "Values for the parameters of the definition."),
    field("params", Shape::Mapping(&Shape::Anything), "An older word for `parameters`.").unchecked(),
    field(
        "skip_install",
        Shape::List(&Shape::Word(INSTALL_PARTS)),
        "Parts of its installation to leave out.",
    )
    .unchecked(),
    field(
        "lava-signal",
        Shape::Word(&[word("kmsg", "Through the kernel's log."), word("stdout", "Printed.")]),
        "How results travel when they take the console.",
    )
    .unchecked(),
    field("expected", Shape::List(&Shape::Text), "The cases that must be reported.").unchecked(),
    field("timeout", Shape::Timeout, "How long this definition may take; with `soft: true` the job goes on.")
        .extension(),
];

const INSTALL_PARTS: &[Word] = &[
    word("keys", "Keys of package archives."),
    word("sources", "Package archives."),
    word("deps", "Packages."),
    word("steps", "Commands."),
    word("git-repos", "Repositories."),
    word("all", "All of it."),
];

const GIT: &[Field] = &[
    field("branch", Shape::Text, "The branch to take.").unchecked(),
    field("revision", Shape::Text, "The commit to take.").unchecked(),
    field("history", Shape::Boolean, "Keep the history (`.git`).").unchecked(),
    field("recursive", Shape::Boolean, "With submodules.").unchecked(),
    field("shallow", Shape::Boolean, "Fetch one commit only; not together with `revision`.")
        .unchecked()
        .not_in_strict(),
];

const URL: &[Field] = &[
    field("compression", COMPRESSION, "How the archive is compressed.").unchecked(),
    field("strip-components", Shape::Whole(0, 100), "Leading directories of the archive to leave out.")
        .unchecked(),
    field("headers", Shape::Mapping(&Shape::Text), "HTTP headers to send.").unchecked(),
];

const LOOSE_INLINE: Object = Object {
    name: "an inline test definition",
    unknown: Unknown::Refused,
    fields: &[&[
        field("metadata", Shape::Mapping(&Shape::Anything), "What the definition is."),
        field("install", Shape::Mapping(&Shape::Anything), "What it needs."),
        field("run", Shape::Mapping(&Shape::Anything), "What it does."),
        field("parse", Shape::Mapping(&Shape::Anything), "How its output is read."),
    ]],
};

const FREE: Shape = Shape::Mapping(&Shape::Anything);

/// A test definition (lava-compat 4.5).
pub const INLINE: Object = Object {
    name: "an inline test definition",
    unknown: Unknown::Refused,
    fields: &[&[
        loosely_free("metadata", &METADATA, "What the definition is.", Needed::Strict),
        loosely_free("install", &INSTALL, "What must be installed before it runs.", Needed::No),
        loosely_free("run", &RUN, "What it does.", Needed::Strict),
        loosely_free("parse", &PARSE, "How results are found in its output.", Needed::No),
        field("params", FREE, "Parameters and their defaults.").not_in_strict(),
        field("parameters", FREE, "An older word for `params`.").not_in_strict(),
        field("expected", Shape::List(&Shape::Text), "The cases that must be reported.").not_in_strict(),
    ]],
};

const fn loosely_free(
    key: &'static str,
    object: &'static Object,
    doc: &'static str,
    needed: Needed,
) -> Field {
    let mut field = field(key, Shape::Object(object), doc);
    field.needed = needed;
    field.loose = Loose::Like(FREE);
    field
}

const METADATA: Object = Object {
    name: "the metadata of a test definition",
    unknown: Unknown::Warned,
    fields: &[&[
        field(
            "format",
            Shape::Word(&[word("Lava-Test Test Definition 1.0", "The one format there is.")]),
            "Always `Lava-Test Test Definition 1.0`.",
        )
        .needed_by_strict(),
        field("name", Shape::Text, "The name of the definition.").needed_by_strict(),
        field("description", Shape::Text, "What it tests."),
        field("os", TEXTS, "Operating systems it is for."),
        field("scope", TEXTS, "What it is about."),
        field("devices", TEXTS, "Devices it is for."),
        field("environment", TEXTS, "What it needs around it."),
        field("maintainer", TEXTS, "Who looks after it."),
        field("version", Shape::Anything, "Its version."),
    ]],
};

const TEXTS: Shape = Shape::List(&Shape::Text);

const INSTALL: Object = Object {
    name: "`install`",
    unknown: Unknown::Free,
    fields: &[&[
        field("keys", TEXTS, "Keys of package archives."),
        field("sources", TEXTS, "Package archives."),
        field("deps", TEXTS, "Packages to install."),
        field("git-repos", Shape::List(&Shape::Anything), "Repositories to fetch."),
        field("steps", TEXTS, "Commands, run after all else."),
    ]],
};

const RUN: Object = Object {
    name: "`run`",
    unknown: Unknown::Warned,
    fields: &[&[field("steps", TEXTS, "Shell commands, run one after the other.").needed_by_strict()]],
};

const PARSE: Object = Object {
    name: "`parse`",
    unknown: Unknown::Warned,
    fields: &[&[
        field("pattern", Shape::Text, "Pattern of a result in the output."),
        field("fixupdict", FREE, "What the words of the output mean."),
        field("appendall", FREE, "What is added to every result."),
    ]],
};

const MONITORS: &[Field] =
    &[field("monitors", Shape::List(&Shape::Object(&MONITOR)), "What to look for on the console.").needed()];

const RESULTS: &[Word] = &[word("pass", ""), word("fail", ""), word("skip", ""), word("unknown", "")];

const MONITOR: Object = Object {
    name: "a monitor",
    unknown: Unknown::Refused,
    fields: &[&[
        field("name", Shape::Identifier, "The name of the suite.").needed(),
        field("start", Shape::Text, "Pattern of the line from which on it looks.").needed(),
        field("end", Shape::Text, "Pattern of the line at which it ends.").needed(),
        field(
            "pattern",
            Shape::Text,
            "Pattern of a result: groups `test_case_id`, `result`, `measurement`, `units`.",
        )
        .needed(),
        field("fixupdict", Shape::Mapping(&Shape::Word(RESULTS)), "What the words of the output mean.")
            .loosely(Shape::Mapping(&Shape::Anything)),
        field("expected", TEXTS, "The cases that must be seen.").unchecked(),
    ]],
};

const INTERACTIVE: &[Field] = &[field(
    "interactive",
    Shape::List(&Shape::Object(&CONVERSATION)),
    "What to type, and what the answers mean.",
)
.needed()];

const CONVERSATION: Object = Object {
    name: "an interactive test",
    unknown: Unknown::Refused,
    fields: &[&[
        field("name", Shape::Identifier, "The name of the suite.").needed(),
        field("prompts", Shape::List(&FILLED), "Patterns of the prompt.").needed(),
        field("script", Shape::List(&Shape::ByKey(&STEP)), "The steps, in order.").needed(),
        field(
            "echo",
            Shape::Word(&[word("discard", "Drop what comes back.")]),
            "What becomes of the echo of what is typed.",
        ),
        field("expected", TEXTS, "The cases that must be reported.").unchecked(),
    ]],
};

const STEP: ByKey = ByKey {
    otherwise: None,
    variants: &[
        ("command", SCRIPT_COMMAND),
        ("delay", step(&[&[field("delay", Shape::Seconds, "How many seconds to wait.").needed()]])),
        (
            "lava-send",
            step(&[&[field("lava-send", Shape::Text, "A message to all nodes: `ID key=value …`.").needed()]]),
        ),
        ("lava-wait", step(&[&[field("lava-wait", Shape::Text, "The message to wait for.").needed()]])),
        (
            "lava-wait-all",
            step(&[&[
                field("lava-wait-all", Shape::Text, "The message to wait for from every node.").needed()
            ]]),
        ),
        (
            "lava-sync",
            step(&[&[field("lava-sync", Shape::Text, "The name of the meeting of all nodes.").needed()]]),
        ),
    ],
};

const fn step(fields: &'static [&'static [Field]]) -> Object {
    Object { name: "a step", unknown: Unknown::Refused, fields }
}

const SCRIPT_COMMAND: Object = Object {
    name: "a step",
    unknown: Unknown::Refused,
    fields: &[&[
        field(
            "command",
            Shape::Nullable(&Shape::Text),
            "What is typed; nothing: only wait. `{name}` is what a step before found.",
        )
        .needed(),
        field("name", Shape::Identifier, "The name of the case. Without one a failure ends the test.")
            .loosely(Shape::Text),
        field("successes", Shape::List(&Shape::Object(&SUCCESS)), "Answers that mean success."),
        field("failures", Shape::List(&Shape::Object(&FAILURE)), "Answers that mean failure."),
        field("wait_for_prompt", Shape::Boolean, "Wait for the prompt afterwards; `true` by default."),
    ]],
};

const SUCCESS: Object = Object {
    name: "an answer that means success",
    unknown: Unknown::Refused,
    fields: &[&[field("message", Shape::Text, "Pattern of the answer.").needed()]],
};

const FAILURE: Object = Object {
    name: "an answer that means failure",
    unknown: Unknown::Refused,
    fields: &[&[
        field("message", Shape::Text, "Pattern of the answer.").needed(),
        field("exception", Shape::Word(FAULTS), "Whose failure it is; it ends the job."),
        field("error", Shape::Text, "What to say then."),
    ]],
};

const FAULTS: &[Word] = &[
    word("InfrastructureError", "The lab failed."),
    word("JobError", "The job asked for something that does not work."),
    word("TestError", "The test could not be finished."),
];

const SERVICES: &[Field] =
    &[field("services", Shape::List(&Shape::Object(&SERVICE)), "Services to start beside the job.").needed()];

const SERVICE: Object = Object {
    name: "a service",
    unknown: Unknown::Warned,
    fields: &[
        &[
            field("name", Shape::Identifier, "The name of the service.").needed_by_strict(),
            field("from", Shape::Word(&[word("git", ""), word("url", "")]), "Where its composition file is.")
                .needed_by_strict(),
            field("repository", Shape::Text, "The URL of the repository or archive.").needed_by_strict(),
            field("path", Shape::Text, "The composition file.").needed_by_strict(),
            field("service", Shape::Text, "Which service of the file to start."),
        ],
        GIT,
        URL,
    ],
};

const COMMANDS: &[Field] = &[field(
    "commands",
    Shape::OneOrMore(&Shape::Text),
    "Commands on the machine's shell, each of which must succeed.",
)
.extension()];

//! The whole definition (lava-compat 1.1, 1.2, 1.8, 5.1).

use super::{
    ANY_WHOLE, BOOT, CONTEXT, DEPLOY, Field, Object, Shape, TEST, Unknown, Word, blocks::BLOCK, field, word,
};

/// A job definition.
pub const JOB: Object = Object {
    name: "a job definition",
    unknown: Unknown::Refused,
    fields: &[&[
        field("job_name", Shape::TextUpTo(200), "What the job is called, 1 to 200 characters.").needed(),
        field("device_type", Shape::TextUpTo(usize::MAX), "The class of device it needs."),
        field("device", Shape::Text, "One certain device."),
        field("worker", Shape::Text, "One certain worker."),
        field("timeouts", Shape::Object(&TIMEOUTS), "How long the job and its parts may take.").needed(),
        field("actions", Shape::List(&Shape::Object(&ACTION)), "What to do, block by block.").needed(),
        field(
            "visibility",
            VISIBILITY,
            "Who may see the job: `public`, `personal`, or `group:` with a list.",
        )
        .needed(),
        field("priority", PRIORITY, "Its place in the queue: `low`, `medium`, `high`, or 0 to 100.")
            .loosely(ANY_PRIORITY),
        field("context", CONTEXT_SHAPE, "Variables for the templates of the device."),
        field("metadata", Shape::Mapping(&Shape::Anything), "Facts about the job, to find it by."),
        field("notify", Shape::Object(&NOTIFY), "Whom to tell how the job goes."),
        field("tags", Shape::List(&Shape::Text), "What the device must be tagged with."),
        field("environment", Shape::Mapping(&Shape::Anything), "Variables of the test shell on the machine."),
        field("secrets", Shape::Mapping(&SECRET), "What must not be shown.")
            .loosely(Shape::Mapping(&Shape::Anything)),
        field("protocols", Shape::Object(&PROTOCOLS), "MultiNode and other protocols."),
        field(
            "compatibility",
            ANY_WHOLE,
            "LAVA's servers of 2023 and before put it in for their dispatchers; it is ignored.",
        ),
        field("reboot_to_fastboot", Shape::Boolean, "LAVA accepts it and does nothing with it."),
    ]],
};

const SECRET: Shape = Shape::Either(&[Shape::Text, Shape::Mapping(&Shape::Text)]);

const PRIORITIES: &[Word] =
    &[word("low", "As 0."), word("medium", "As 50, and the default."), word("high", "As 100.")];
const PRIORITY: Shape = Shape::Either(&[Shape::Word(PRIORITIES), Shape::Whole(0, 100)]);
const ANY_PRIORITY: Shape = Shape::Either(&[Shape::Word(PRIORITIES), ANY_WHOLE]);

const VISIBILITY: Shape = Shape::Either(&[
    Shape::Word(&[word("public", "Everybody sees it."), word("personal", "Who submitted it sees it.")]),
    Shape::Object(&VISIBILITY_GROUPS),
]);

const VISIBILITY_GROUPS: Object = Object {
    name: "`visibility`",
    unknown: Unknown::Refused,
    fields: &[
        &[field("group", Shape::List(&Shape::Text), "Who is in all of these groups sees it.").needed()],
    ],
};

const CONTEXT_SHAPE: Shape = Shape::Known(CONTEXT, &CONTEXT_VALUE);
const CONTEXT_SCALAR: Shape = Shape::Either(&[Shape::Text, ANY_WHOLE, Shape::Boolean]);
const CONTEXT_VALUE: Shape =
    Shape::Either(&[Shape::Text, ANY_WHOLE, Shape::Boolean, Shape::List(&CONTEXT_SCALAR)]);

/// `timeouts`
const TIMEOUTS: Object = Object {
    name: "`timeouts`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("job", Shape::Timeout, "The whole run.").needed(),
        field("action", Shape::Timeout, "Every action that has no timeout of its own."),
        field("connection", Shape::Timeout, "Every wait on a console that has no timeout of its own."),
        field("queue", Shape::Timeout, "How long the job may wait for a device."),
        field("actions", Shape::NamedTimeouts, "Actions, by their names."),
        field(
            "connections",
            Shape::NamedTimeouts,
            "Waits on a console, by the name of the action that waits.",
        ),
        field("cleanup", Shape::Timeout, "What is done after the last block; 300 seconds by default.")
            .extension(),
        field(
            "hold",
            Shape::Timeout,
            "How long the machines are held for people when the job failed or a test did.",
        )
        .extension(),
        field("inactivity", Shape::Timeout, "How long every console may be silent while a block runs.")
            .extension(),
    ]],
};

/// An item of `actions`.
pub(crate) const ACTION: Object = Object {
    name: "an action",
    unknown: Unknown::Refused,
    fields: &[&[
        field("deploy", Shape::ByWord(&DEPLOY), "Bring files to where they are needed."),
        field("boot", Shape::ByWord(&BOOT), "Start the machine and log in."),
        field("test", Shape::ByKey(&TEST), "Run the tests."),
        field(
            "command",
            Shape::Object(&COMMAND),
            "Run a command that the device or the program offers by name.",
        ),
    ]],
};

/// A command block.
const COMMAND: Object = Object {
    name: "a command block",
    unknown: Unknown::Warned,
    fields: &[BLOCK, &[field("name", Shape::Text, "The name of the command.").needed()]],
};

const PROTOCOLS: Object = Object {
    name: "`protocols`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("lava-multinode", Shape::Object(&MULTINODE), "Several machines that work together."),
        field("lava-xnbd", Shape::Object(&XNBD), "A network block device."),
        field("lava-lxc", Shape::Anything, "An LXC container; LAVA dropped it."),
    ]],
};

const XNBD: Object = Object {
    name: "`lava-xnbd`",
    unknown: Unknown::Warned,
    fields: &[&[
        field(
            "port",
            Shape::Either(&[Shape::Word(&[word("auto", "")]), Shape::Whole(1, 65_535)]),
            "The port, or `auto`.",
        )
        .unchecked(),
        field("timeout", Shape::Timeout, "How long to wait for it."),
    ]],
};

/// `lava-multinode`
pub(crate) const MULTINODE: Object = Object {
    name: "`lava-multinode`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("roles", ROLES, "The roles, by names of your own.").needed(),
        field("timeout", Shape::Timeout, "How long a request to the other nodes may take."),
    ]],
};

const ROLES: Shape = Shape::Mapping(&Shape::ByKey(&super::ByKey {
    variants: &[("connection", CONNECTED_ROLE)],
    otherwise: Some(&ROLE),
}));

const ROLE_COMMON: &[Field] = &[
    field("count", Shape::Whole(0, i64::MAX), "How many machines play it.").unchecked().needed_by_strict(),
    field("context", CONTEXT_SHAPE, "Variables for the templates of the device.").unchecked(),
    field("tags", Shape::List(&Shape::Text), "What the device must be tagged with.").unchecked(),
    field("environment", Shape::Mapping(&Shape::Anything), "Variables of the test shell on the machine.")
        .unchecked(),
    field("essential", Shape::Boolean, "Whether the others end when it fails.").unchecked(),
    field("timeout", Shape::Timeout, "How long it may take.").unchecked(),
];

const ROLE: Object = Object {
    name: "a role",
    unknown: Unknown::Warned,
    fields: &[
        ROLE_COMMON,
        &[
            field("device_type", Shape::Text, "The class of device that plays it.")
                .unchecked()
                .needed_by_strict(),
            field("device", Shape::Text, "One certain device.").unchecked(),
            field("worker", Shape::Text, "One certain worker.").unchecked(),
        ],
    ],
};

const CONNECTED_ROLE: Object = Object {
    name: "a role",
    unknown: Unknown::Warned,
    fields: &[
        ROLE_COMMON,
        &[
            field("connection", Shape::Word(&[word("ssh", "")]), "How it is connected.").unchecked(),
            field("host_role", Shape::Text, "The role whose machine it connects to.")
                .unchecked()
                .needed_by_strict(),
            field("expect_role", Shape::Text, "The role it waits for.").unchecked(),
            field("request", Shape::Word(&[word("lava-start", "")]), "The request it waits with.")
                .unchecked(),
        ],
    ],
};

const NOTIFY: Object = Object {
    name: "`notify`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("criteria", Shape::Object(&CRITERIA), "When somebody is told.").needed(),
        field("recipients", Shape::List(&Shape::Object(&RECIPIENT)), "Who is told."),
        field("callback", Shape::Object(&CALLBACK), "A URL that is called."),
        field("callbacks", Shape::List(&Shape::Object(&CALLBACK)), "URLs that are called."),
        field(
            "verbosity",
            Shape::Word(&[word("verbose", ""), word("quiet", ""), word("status-only", "")]),
            "How much is said; `quiet` by default.",
        ),
        field("compare", Shape::Object(&COMPARE), "What the job is compared with."),
    ]],
};

const CRITERIA: Object = Object {
    name: "`criteria`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("status", Shape::Word(STATUSES), "The state of the job at which somebody is told.").needed(),
        field(
            "type",
            Shape::Word(&[word("regression", "It became worse."), word("progression", "It became better.")]),
            "Only when the result changed so.",
        ),
        field("dependency_query", Shape::Text, "A query of jobs that must have finished."),
    ]],
};

const STATUSES: &[Word] = &[
    word("finished", "It ended, however."),
    word("running", "It started."),
    word("complete", "It did everything."),
    word("canceled", "It was cancelled."),
    word("incomplete", "Something went wrong."),
    word("all", "Always."),
];

const RECIPIENT: Object = Object {
    name: "a recipient",
    unknown: Unknown::Refused,
    fields: &[&[field("to", Shape::Object(&RECIPIENT_TO), "Who it is.").needed()]],
};

const RECIPIENT_TO: Object = Object {
    name: "a recipient",
    unknown: Unknown::Refused,
    fields: &[&[
        field("method", Shape::Word(&[word("email", ""), word("irc", "")]), "How it is told.").needed(),
        field("user", Shape::Text, "A user of the server."),
        field("email", Shape::Text, "An address to write to."),
        field("handle", Shape::Text, "A nickname on IRC."),
        field("server", Shape::Text, "An IRC server."),
    ]],
};

const CALLBACK: Object = Object {
    name: "a callback",
    unknown: Unknown::Refused,
    fields: &[&[
        field("url", Shape::Text, "The URL; `{ID}` and `{STATUS}` are replaced.").needed(),
        field(
            "method",
            Shape::Word(&[word("GET", ""), word("POST", "")]),
            "How it is called; `GET` by default.",
        ),
        field("token", Shape::Text, "What is sent in the header; better the name of a token."),
        field("header", Shape::Text, "The header; `Authorization` by default."),
        field(
            "dataset",
            Shape::Word(&[word("minimal", ""), word("logs", ""), word("results", ""), word("all", "")]),
            "How much is sent; `minimal` by default.",
        ),
        field(
            "content-type",
            Shape::Word(&[word("urlencoded", ""), word("json", "")]),
            "How it is encoded; `urlencoded` by default.",
        ),
    ]],
};

const COMPARE: Object = Object {
    name: "`compare`",
    unknown: Unknown::Refused,
    fields: &[&[
        field("query", Shape::Object(&QUERY), "Which jobs to compare with."),
        field("blacklist", Shape::List(&Shape::Text), "Cases to leave out."),
    ]],
};

const QUERY: Object = Object {
    name: "a query",
    unknown: Unknown::Refused,
    fields: &[&[
        field("username", Shape::Text, "Whose query it is."),
        field("name", Shape::Text, "The name of the query."),
        field("entity", Shape::Text, "What is asked for, for example `testjob`."),
        field("conditions", Shape::Mapping(&Shape::Anything), "What it must be like."),
    ]],
};

//! `test` blocks (lava-compat 1.7, 4.5, 4.6).

use std::time::Duration;

use pumice_types::{Span, Spanned};
use pumice_yaml::{Map, Node};
use serde::Serialize;

use super::{Block, Compression, Container, Timeout, Variable};

/// A `test` block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Test {
    /// What all blocks have.
    pub block: Block,
    /// What it runs.
    pub kind: TestKind,
    /// All keys as they were written.
    #[serde(skip)]
    pub fields: Map,
}

/// What a test block runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestKind {
    /// Test definitions, on the DUT or, with a container, beside it.
    Definitions {
        /// One after the other.
        definitions: Vec<Definition>,
        /// The container they run in, instead of on the DUT.
        container: Option<Box<TestContainer>>,
    },
    /// The console is watched for results.
    Monitors(Vec<Monitor>),
    /// The console is talked to.
    Interactive(Vec<Interactive>),
    /// Services are started beside the job.
    Services(Vec<Service>),
    /// Commands on the DUT's shell, each of which must succeed. An extension.
    Commands(Vec<Spanned<String>>),
}

/// The container of a test block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestContainer {
    /// The container.
    pub container: Container,
    /// The namespace whose downloads it sees.
    pub downloads_namespace: Option<Spanned<String>>,
    /// Close our console, so that the tests may open it.
    pub disconnect_connection: bool,
}

/// A test definition that a block runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Definition {
    /// The name of its suite: letters, digits, `-`, `_`, `.`; unique in a namespace.
    pub name: Spanned<String>,
    /// Where it is.
    pub from: DefinitionSource,
    /// The file in that source.
    pub path: Spanned<String>,
    /// Values for its parameters.
    pub parameters: Vec<Variable>,
    /// Parts of its `install` that are left out.
    pub skip_install: Vec<Spanned<Install>>,
    /// How its signals travel when they take the console.
    pub lava_signal: Option<Spanned<SignalChannel>>,
    /// The cases it must report. An empty list is one that was written so.
    pub expected: Option<Vec<Spanned<String>>>,
    /// How long it alone may take. An extension; useful with `soft: true`.
    pub timeout: Option<Timeout>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// Where a test definition is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefinitionSource {
    /// In a git repository.
    Git {
        /// Its URL or path; `$NAME` is replaced from the secrets.
        repository: Spanned<String>,
        /// The branch.
        branch: Option<Spanned<String>>,
        /// The commit.
        revision: Option<Spanned<String>>,
        /// Keep `.git`.
        history: bool,
        /// Fetch one commit only; as LAVA decides when absent.
        shallow: Option<Spanned<bool>>,
        /// With submodules.
        recursive: bool,
    },
    /// In an archive.
    Url {
        /// Its URL.
        repository: Spanned<String>,
        /// How it is compressed.
        compression: Option<Spanned<Compression>>,
        /// Leading directories to leave out.
        strip_components: u32,
        /// HTTP headers.
        headers: Vec<Variable>,
    },
    /// In the job itself: `metadata`, `install`, `run`, `parse`, as written.
    Inline(Node),
}

/// A part of a test definition's `install`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Install {
    /// Keys of package archives.
    Keys,
    /// Package archives.
    Sources,
    /// Packages.
    Deps,
    /// Commands.
    Steps,
    /// Repositories.
    GitRepos,
    /// Everything.
    All,
}

/// How signals travel when they take the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalChannel {
    /// Through the kernel's log.
    Kmsg,
    /// Printed.
    Stdout,
}

/// Watches the console for results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Monitor {
    /// The name of its suite.
    pub name: Spanned<String>,
    /// Pattern of the line from which on it looks.
    pub start: Spanned<String>,
    /// Pattern of the line at which it ends.
    pub end: Spanned<String>,
    /// Pattern of a result: groups `test_case_id`, `result`, `measurement`, `units`.
    pub pattern: Spanned<String>,
    /// What the DUT's words for results mean.
    pub fixups: Vec<Variable>,
    /// The cases it must see.
    pub expected: Option<Vec<Spanned<String>>>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// Talks to the console.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interactive {
    /// The name of its suite.
    pub name: Spanned<String>,
    /// Patterns of the prompt.
    pub prompts: Vec<Spanned<String>>,
    /// `echo: discard`: what is typed comes back and is dropped.
    pub discards_echo: bool,
    /// The steps, in order.
    pub script: Vec<ScriptStep>,
    /// The cases it must report.
    pub expected: Option<Vec<Spanned<String>>>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// One step of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptStep {
    /// Wait.
    Delay(Spanned<Duration>),
    /// Talk to the other nodes of a MultiNode job.
    Message(MessageRequest),
    /// Type something and look at the answer.
    Command(Box<ScriptCommand>),
}

/// A request to the other nodes: the text behind `lava-send` and so on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageRequest {
    /// `ID key=value …`
    Send(Spanned<String>),
    /// `ID`
    Wait(Spanned<String>),
    /// `ID [role=ROLE]`
    WaitAll(Spanned<String>),
    /// `ID`
    Sync(Spanned<String>),
}

/// Something typed, and what the answer means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScriptCommand {
    /// What is typed, `{name}` standing for what an earlier step found. `None`: only wait.
    pub command: Option<Spanned<String>>,
    /// The name of its case. Without one a failure ends the test.
    pub name: Option<Spanned<String>>,
    /// Answers that mean success. When there is one, the prompt alone means failure.
    pub successes: Vec<Condition>,
    /// Answers that mean failure.
    pub failures: Vec<Condition>,
    /// Wait for the prompt afterwards.
    pub waits_for_prompt: bool,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// An answer and what it means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// Pattern of the answer.
    pub message: Spanned<String>,
    /// Whose failure it is; ends the job.
    pub fault: Option<Spanned<ConditionFault>>,
    /// What to say then.
    pub error: Option<Spanned<String>>,
}

/// Whose failure an answer is (`exception`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ConditionFault {
    /// `InfrastructureError`
    Infrastructure,
    /// `JobError`
    Job,
    /// `TestError`
    Test,
}

/// A service started beside the job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: Spanned<String>,
    /// Where its composition file is.
    pub from: DefinitionSource,
    /// The file in that source.
    pub path: Spanned<String>,
    /// Which service of the file.
    pub service: Option<Spanned<String>>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

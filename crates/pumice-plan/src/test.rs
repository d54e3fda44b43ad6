//! What a test block will do.

use pumice_types::Spanned;
use pumice_yaml::Node;
use serde::Serialize;

use crate::{plan::OnTimeout, scope::Scope};

/// Runs tests.
#[derive(Clone, Debug, Serialize)]
pub struct Test {
    /// The block's scope, for example `lava-test-retry`.
    pub scope: Scope,
    /// The step that runs them, for example `lava-test-shell`.
    pub run: Scope,
    /// What kind of tests.
    pub kind: TestKind,
    /// The namespace whose console is used, where it is another than the block's own.
    pub connection_namespace: Option<String>,
    /// What to do when its time is over.
    pub on_timeout: OnTimeout,
}

/// What kind of tests a block runs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum TestKind {
    /// Test definitions in the guest's shell.
    Shell {
        /// Which part of the overlay, from 0.
        stage: u32,
        /// Names of the runs that must appear, `N_name`.
        runs: Vec<String>,
    },
    /// Test definitions in a container beside the guest.
    Container {
        /// Which part of the overlay, from 0.
        stage: u32,
        /// Names of the runs that must appear, `N_name`.
        runs: Vec<String>,
        /// The block's `docker`.
        docker: Node,
    },
    /// Patterns looked for in what the console says.
    Monitors {
        /// One after the other.
        monitors: Vec<Monitor>,
    },
    /// Commands typed and answers looked for.
    Interactive {
        /// One after the other.
        scripts: Vec<Interactive>,
    },
    /// Services started beside the job.
    Services {
        /// The block's `services`.
        services: Node,
    },
}

/// Patterns looked for in what the console says (lava-compat 1.7).
#[derive(Clone, Debug, Serialize)]
pub struct Monitor {
    /// Its name; the suite's name is made of it.
    pub name: String,
    /// The pattern that begins it.
    pub start: Spanned<String>,
    /// The pattern that ends it.
    pub end: Spanned<String>,
    /// The pattern of one result.
    pub pattern: Spanned<String>,
    /// What the words of the pattern mean: word, result.
    pub fixup: Vec<(String, String)>,
    /// Cases that must appear.
    pub expected: Option<Vec<String>>,
}

/// Commands typed and answers looked for (lava-compat 1.7).
#[derive(Clone, Debug, Serialize)]
pub struct Interactive {
    /// Its name; the suite is `STAGE_NAME`.
    pub name: String,
    /// The patterns of a prompt.
    pub prompts: Vec<Spanned<String>>,
    /// Whether one echoed line is dropped.
    pub discard_echo: bool,
    /// Cases that must appear.
    pub expected: Option<Vec<String>>,
    /// What is typed.
    pub script: Vec<InteractiveStep>,
    /// Its number among the interactive blocks of the namespace, from 0.
    pub stage: u32,
}

/// One step of an interactive test.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "does")]
pub enum InteractiveStep {
    /// Waits, in seconds.
    Delay {
        /// How long.
        seconds: f64,
    },
    /// Sends to the other nodes of a MultiNode job, or waits for them.
    Multinode {
        /// `lava-send`, `lava-wait`, `lava-wait-all` or `lava-sync`.
        request: String,
        /// The words behind it.
        words: String,
    },
    /// Types a command and waits for its answer.
    Command {
        /// What is typed; `None` types nothing, the empty text a newline.
        command: Option<String>,
        /// The case's name; a step without one that fails ends the test.
        name: Option<String>,
        /// Answers that pass.
        successes: Vec<Spanned<String>>,
        /// Answers that fail.
        failures: Vec<InteractiveFailure>,
        /// Whether the prompt is waited for.
        wait_for_prompt: bool,
    },
}

/// An answer that fails.
#[derive(Clone, Debug, Serialize)]
pub struct InteractiveFailure {
    /// The pattern.
    pub message: Spanned<String>,
    /// The error that it raises: `InfrastructureError`, `JobError` or `TestError`.
    pub exception: Option<String>,
    /// What is said then.
    pub error: Option<String>,
}

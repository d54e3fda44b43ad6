//! What a test block will do.

use std::{collections::BTreeMap, time::Duration};

use pumice_job::{Interactive, Monitor, Service, TestContainer};
use pumice_types::Spanned;
use serde::Serialize;

use crate::{
    plan::{OnTimeout, seconds},
    scope::Scope,
};

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

/// The container of a test block.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerTest {
    /// What the job says of it.
    pub container: TestContainer,
    /// The device's words for the engine's `run`.
    pub options: Vec<String>,
    /// The device's words for the engine, before `run`.
    pub global_options: Vec<String>,
    /// What the tests must know to reach the machine, name and value.
    pub environment: Vec<(String, String)>,
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
        /// Those of them that may not take as long as the block.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        limits: BTreeMap<String, RunLimit>,
    },
    /// Test definitions in a container beside the guest.
    Container {
        /// Which part of the overlay, from 0.
        stage: u32,
        /// Names of the runs that must appear, `N_name`.
        runs: Vec<String>,
        /// Those of them that may not take as long as the block.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        limits: BTreeMap<String, RunLimit>,
        /// Where they run.
        container: Box<ContainerTest>,
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
        /// Its number among the interactive blocks of the namespace, from 0.
        stage: u32,
    },
    /// Services started beside the job.
    Services {
        /// One after the other.
        services: Vec<ServicePlan>,
    },
    /// Commands in the guest's shell, each of which must succeed.
    Commands {
        /// One after the other.
        commands: Vec<Spanned<String>>,
    },
}

/// A service that is started beside the job.
#[derive(Clone, Debug, Serialize)]
pub struct ServicePlan {
    /// What the job says of it.
    pub service: Service,
    /// Fetches the file that describes it, and what is around it: `git-repo-action` or `url-repo-action`.
    pub fetch: Scope,
    /// For an archive: `download-retry` and the download inside it.
    pub archive: Option<(Scope, Scope)>,
    /// Starts it, `docker-compose-service`.
    pub start: Scope,
}

/// How long one definition of a block may take, its install steps included. Ours, not LAVA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RunLimit {
    /// How long, counted from the end of the definition before it.
    #[serde(rename = "timeout_s", serialize_with = "seconds")]
    pub timeout: Duration,
    /// What follows: the block fails, or the definition alone does and the next one runs.
    pub on_timeout: OnTimeout,
}

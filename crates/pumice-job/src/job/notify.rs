//! Whom to tell (lava-compat 1.8).

use pumice_types::{Span, Spanned};
use serde::Serialize;

use super::Variable;

/// `notify`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notify {
    /// When.
    pub criteria: Criteria,
    /// How much is said.
    pub verbosity: Verbosity,
    /// To whom.
    pub recipients: Vec<Recipient>,
    /// Which URLs are called.
    pub callbacks: Vec<Callback>,
    /// What the job is compared with.
    pub compare: Option<Compare>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// When somebody is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Criteria {
    /// `finished`, `running`, `complete`, `canceled`, `incomplete` or `all`.
    pub status: Spanned<String>,
    /// `regression` or `progression`.
    pub kind: Option<Spanned<String>>,
    /// Conditions of jobs which must all be in that state too: `testjob__FIELD__OPERATOR__VALUE,…`.
    pub dependency_query: Option<Spanned<String>>,
}

/// What a job is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compare {
    /// The last of these jobs.
    pub query: Option<Query>,
    /// Names of cases that are left out.
    pub blacklist: Vec<Spanned<String>>,
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Those of a query that somebody stored.
    Stored(Spanned<String>),
    /// Those, or those with suites or cases, for which all conditions hold: each a field, with an operator behind `__`
    /// where it is not equality, and a value.
    Conditions {
        /// `testjob`, `testsuite` or `testcase`.
        entity: Spanned<String>,
        /// They.
        conditions: Vec<Variable>,
    },
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verbosity {
    /// Everything.
    Verbose,
    /// Little.
    #[default]
    Quiet,
    /// One line.
    StatusOnly,
}

/// Somebody to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// `email` or `irc`.
    pub method: Spanned<String>,
    /// A user of the server.
    pub user: Option<Spanned<String>>,
    /// An address.
    pub email: Option<Spanned<String>>,
    /// A nickname.
    pub handle: Option<Spanned<String>>,
    /// An IRC server.
    pub server: Option<Spanned<String>>,
}

/// A URL to be called.
#[derive(Clone, PartialEq, Serialize)]
pub struct Callback {
    /// With `{ID}`, `{STATUS}`, `{STATUS_STRING}` to be replaced.
    pub url: Spanned<String>,
    /// How.
    pub method: CallbackMethod,
    /// What is sent in the header; a secret.
    #[serde(skip)]
    pub token: Option<Spanned<String>>,
    /// The header; by default `Authorization`.
    pub header: Option<Spanned<String>>,
    /// How much is sent.
    pub dataset: CallbackDataset,
    /// As JSON, and not as a form.
    pub is_json: bool,
}

/// Never shows the token.
impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback")
            .field("url", &self.url.value)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// How a URL is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CallbackMethod {
    /// With nothing.
    #[default]
    Get,
    /// With a body.
    Post,
}

/// How much a callback sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackDataset {
    /// What the job is and how it ended.
    #[default]
    Minimal,
    /// With the log.
    Logs,
    /// With the results.
    Results,
    /// With both.
    All,
}

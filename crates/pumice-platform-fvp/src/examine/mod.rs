//! Looks at a model's own program: what it is (`pumice model add`), and whether models behave as we believe they do
//! (`pumice model check`).
//!
//! Much of what a driver must know of models is in no public text (fastmodels 11). Whoever has a real one can settle
//! it with one command, whose answer says what differs.

mod beliefs;
mod description;
mod session;

use std::{collections::BTreeMap, path::PathBuf};

use pumice_platform::Host;

pub use beliefs::examine;
pub use description::{Description, describe};

pub use crate::probe::version;

/// A program to look at, and what it needs to run.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The program.
    pub program: PathBuf,
    /// For a Model Shell: the shared library that is the model.
    pub library: Option<PathBuf>,
    /// Its environment beside what every run of a model inherits: of its entry, of its licence.
    pub environment: BTreeMap<String, String>,
    /// Under whose guard it is started.
    pub host: Host,
}

/// Whether what was found is what we believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Agrees,
    /// It is not: the driver may have to change.
    Differs,
    /// Nothing was believed: no public source says it.
    Learnt,
    /// It could not be tried.
    Untried,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried, in a few words.
    pub what: String,
    /// Where in the reference sheet "fastmodels" the belief stands.
    pub source: &'static str,
    /// Whether it holds.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What was expected, where something was.
    pub expected: String,
    /// What the program said, where it matters; bytes that are no text are escaped.
    pub said: String,
}

impl Finding {
    fn learnt(what: &str, source: &'static str, found: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            source,
            verdict: Verdict::Learnt,
            found: found.into(),
            expected: String::new(),
            said: String::new(),
        }
    }

    /// Agrees when `found` is `expected`.
    fn held(what: &str, source: &'static str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        let (found, expected) = (found.into(), expected.into());
        let verdict = if found == expected { Verdict::Agrees } else { Verdict::Differs };
        Self { what: what.to_owned(), source, verdict, found, expected, said: String::new() }
    }

    fn untried(what: &str, source: &'static str, why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Untried, ..Self::learnt(what, source, why) }
    }

    fn saying(mut self, said: &str) -> Self {
        self.said = said.trim().chars().take(SAID).collect();
        self
    }
}

/// How much of what a program said is shown.
const SAID: usize = 600;

//! Why a device could not be rendered.

use std::fmt;

use pumice_types::{Blame, Cause};

use super::is_missing;

/// A template failed. It says in which file and line; the device or its type is to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// The template's file name, or what the request called the dictionary.
    pub template: String,
    /// The line in it, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// Whether a template is missing, rather than wrong.
    pub is_missing: bool,
}

impl RenderError {
    pub(super) fn new(source: &str, error: &minijinja::Error) -> Self {
        let innermost = innermost(error);
        let detail = innermost.detail().map_or_else(|| innermost.kind().to_string(), str::to_owned);
        Self {
            template: innermost.name().unwrap_or(source).to_owned(),
            line: innermost.line(),
            message: detail,
            is_missing: is_missing(innermost),
        }
    }
}

/// The error that the others wrap: one in an included template comes as the source of the include's.
fn innermost(error: &minijinja::Error) -> &minijinja::Error {
    let mut found = error;
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(deeper) = error.downcast_ref::<minijinja::Error>() {
            found = deeper;
        }
        source = error.source();
    }
    found
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.template, self.message),
            None => write!(f, "{}: {}", self.template, self.message),
        }
    }
}

impl std::error::Error for RenderError {}

impl Blame for RenderError {
    fn root_cause(&self) -> Cause {
        Cause::DeviceInvalid
    }

    fn hint(&self) -> Option<String> {
        let hint = if self.is_missing {
            "name a device type that exists (`pumice device list`), or add its template to the library"
        } else {
            "correct the device's template"
        };
        Some(hint.to_owned())
    }
}

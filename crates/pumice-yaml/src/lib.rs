//! YAML as PyYAML's `SafeLoader` reads it, with the place of every node, within stated limits.
//!
//! LAVA reads everything with PyYAML (in C where libyaml is there), so a job means what PyYAML says it means: YAML 1.1 scalars (`on`, `0755`,
//! `1:30`), merge keys, the last of two equal keys. The rules are those of PyYAML 6.0 (`resolver.py`,
//! `constructor.py`), of YAML 1.1 (<https://yaml.org/spec/1.1/>) where PyYAML follows it.
//!
//! Nothing here panics, overflows the stack or grows without bound: see [`Limits`].

pub mod codes;
mod compose;
mod cursor;
mod entries;
mod node;
mod scalar;
mod scanner;
mod timestamp;
mod token;

pub use node::{Entry, Map, Node, Value};

use pumice_types::{Diagnostic, Diagnostics, SourceId, Span};

/// How much of a text is read. What goes beyond is a diagnostic with the code [`codes::LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Lists and mappings inside one another, aliases expanded.
    pub depth: usize,
    /// Nodes in all, aliases and merges expanded.
    pub nodes: usize,
}

impl Limits {
    /// 4 MiB, 64 levels, 200,000 nodes: a hundred times the largest job known from the field. The tree of
    /// such a text takes less than 40 MiB, and code that walks it may recurse.
    pub const JOB: Self = Self { bytes: 4 << 20, depth: 64, nodes: 200_000 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::JOB
    }
}

/// Reads one document within [`Limits::JOB`].
///
/// The tree is `None` when nothing could be read. A tree that comes with errors is what could be read: values
/// that could not are null, and after a [`codes::SYNTAX`] error the rest of the text is missing.
pub fn parse(text: &str, source: SourceId) -> (Option<Node>, Diagnostics) {
    parse_within(text, source, Limits::default())
}

/// Reads one document within `limits`. Otherwise as [`parse`].
pub fn parse_within(text: &str, source: SourceId, limits: Limits) -> (Option<Node>, Diagnostics) {
    if text.len() > limits.bytes {
        let message = format!("the text has {} bytes and at most {} are read", text.len(), limits.bytes);
        let diagnostic = Diagnostic::error(codes::LIMIT, Span::new(source, 0, 0), message);
        return (None, [diagnostic].into_iter().collect());
    }
    compose::document(text, source, limits)
}

/// Reads one document from bytes, which must be UTF-8, with or without a byte order mark. Otherwise as [`parse`].
pub fn parse_bytes(bytes: &[u8], source: SourceId) -> (Option<Node>, Diagnostics) {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, source),
        Err(error) => {
            let at = error.valid_up_to();
            let end = at + error.error_len().unwrap_or(bytes.len() - at);
            let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
                "the text is UTF-16; save it as UTF-8"
            } else {
                "save the text as UTF-8"
            };
            let diagnostic =
                Diagnostic::error(codes::ENCODING, Span::new(source, at, end), "the text is not UTF-8")
                    .help(help);
            (None, [diagnostic].into_iter().collect())
        }
    }
}

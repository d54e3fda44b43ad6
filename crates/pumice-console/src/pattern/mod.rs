//! Patterns: what a wait waits for.

mod characters;
mod escape;
mod python;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use pumice_types::{Blame, Cause};
use regex_automata::{Input, meta, nfa::thompson, util::captures::Captures};
use regex_syntax::hir::Hir;

use crate::found::Match;

/// The largest automaton one pattern may need. A hostile `((a{500}){500}){500}` is refused by this.
const SIZE_LIMIT_BYTES: usize = 1 << 20;

/// A regular expression over bytes, checked and ready. Cheap to copy.
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    tree: Hir,
    names: Vec<Option<String>>,
    searcher: OnceLock<meta::Regex>,
}

/// A pattern is not one we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong, and what to write instead where that is known.
    pub message: String,
    /// Where in the pattern, in bytes from its start.
    pub offset: usize,
}

impl Blame for PatternError {
    fn root_cause(&self) -> Cause {
        Cause::InvalidDefinition
    }
}

impl Pattern {
    /// Reads a pattern as Python's `re` reads it, with `re.DOTALL` set, as pexpect does.
    ///
    /// Differences from Python, all of them small: a console is bytes, so `.` and a negated class match one
    /// character or one byte that belongs to none; `\d` and `\s` mean the ASCII ones and `\w` those and every
    /// character beyond ASCII; word boundaries are ASCII; `$` also stands before any line feed. Lookaround,
    /// backreferences, conditionals, atomic groups and possessive repetition cannot be run in linear time
    /// and are refused.
    pub fn python(text: &str) -> Result<Self, PatternError> {
        let (tree, names) = python::parse(text)?;
        let pattern =
            Self { inner: Arc::new(Inner { text: text.to_owned(), tree, names, searcher: OnceLock::new() }) };
        compile(std::slice::from_ref(&pattern))?;
        Ok(pattern)
    }

    /// A pattern that is just this text.
    pub fn literal(text: &str) -> Self {
        let tree = Hir::literal(text.as_bytes());
        let names = vec![None];
        Self { inner: Arc::new(Inner { text: text.to_owned(), tree, names, searcher: OnceLock::new() }) }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.inner.text
    }

    /// The names of its groups, the whole match being the first; `None` for a group without a name.
    pub fn group_names(&self) -> &[Option<String>] {
        &self.inner.names
    }

    /// Whether it is found anywhere in `bytes`.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.searcher().is_match(bytes)
    }

    /// What Python's `re.search` finds in `bytes`, places counted from their beginning.
    pub fn search(&self, bytes: &[u8]) -> Option<Match> {
        self.is_match(bytes).then(|| Match::read(0, Some(self), bytes, 0))
    }

    /// Where it begins in `bytes`, if it is found.
    pub(crate) fn find_start(&self, bytes: &[u8]) -> Option<usize> {
        self.searcher().find(bytes).map(|found| found.start())
    }

    /// Where its groups are in `bytes`, the whole match first, if it is found.
    pub(crate) fn groups(&self, bytes: &[u8]) -> Option<Vec<Option<(usize, usize)>>> {
        let searcher = self.searcher();
        let mut captures: Captures = searcher.create_captures();
        searcher.search_captures(&Input::new(bytes), &mut captures);
        captures
            .is_match()
            .then(|| captures.iter().map(|span| span.map(|span| (span.start, span.end))).collect())
    }

    pub(crate) fn tree(&self) -> &Hir {
        &self.inner.tree
    }

    fn searcher(&self) -> &meta::Regex {
        self.inner.searcher.get_or_init(|| {
            let config =
                meta::Config::new().utf8_empty(false).nfa_size_limit(None).onepass_size_limit(Some(1 << 16));
            meta::Builder::new()
                .configure(config)
                .build_from_hir(&self.inner.tree)
                .expect("no limit is set, and the same tree was compiled when the pattern was made")
        })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.inner.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.inner.text == other.inner.text && self.inner.tree == other.inner.tree
    }
}

impl Eq for Pattern {}

/// One automaton for several patterns.
pub(crate) fn compile(patterns: &[Pattern]) -> Result<thompson::NFA, PatternError> {
    let config = thompson::Config::new()
        .utf8(false)
        .shrink(false)
        .nfa_size_limit(Some(SIZE_LIMIT_BYTES * patterns.len().max(1)))
        .which_captures(thompson::WhichCaptures::None);
    let trees: Vec<&Hir> = patterns.iter().map(Pattern::tree).collect();
    thompson::Compiler::new().configure(config).build_many_from_hir(&trees).map_err(|_| PatternError {
        message: "the pattern is too large: write fewer or smaller counted repetitions, `{…}`".into(),
        offset: 0,
    })
}

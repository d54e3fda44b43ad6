//! Several patterns that are looked for at once.

use std::{fmt, sync::Arc};

use regex_automata::{MatchKind, util::prefilter::Prefilter};

use crate::{
    automaton::Automaton,
    pattern::{Pattern, PatternError, compile},
};

/// Patterns that are looked for at once, ready to be used any number of times. Cheap to copy.
#[derive(Clone)]
pub struct Patterns {
    inner: Arc<Inner>,
}

struct Inner {
    list: Vec<Pattern>,
    automaton: Automaton,
    prefilter: Option<Prefilter>,
}

impl Patterns {
    /// Puts patterns together. Where two are found at once, the one that begins first wins, then the first of
    /// the list. Refused when they are too large together; then the first of them is named.
    pub fn new(list: impl IntoIterator<Item = Pattern>) -> Result<Self, PatternError> {
        let list: Vec<Pattern> = list.into_iter().collect();
        let nfa = compile(&list)?;
        let trees: Vec<_> = list.iter().map(Pattern::tree).collect();
        // Where a pattern asks about places, skipping bytes would hide the byte before from it.
        let prefilter = (!Automaton::asks_about_places(&nfa))
            .then(|| Prefilter::from_hirs_prefix(MatchKind::All, &trees))
            .flatten()
            .filter(Prefilter::is_fast);
        let automaton = Automaton::new(nfa, prefilter.is_some());
        Ok(Self { inner: Arc::new(Inner { list, automaton, prefilter }) })
    }

    /// Reads several patterns as Python does, see [`Pattern::python`].
    pub fn python<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, PatternError> {
        let list = texts.into_iter().map(|text| Pattern::python(text.as_ref()));
        Self::new(list.collect::<Result<Vec<_>, _>>()?)
    }

    /// The patterns, in the order that the index of a match counts.
    pub fn list(&self) -> &[Pattern] {
        &self.inner.list
    }

    pub(crate) fn automaton(&self) -> &Automaton {
        &self.inner.automaton
    }

    /// What finds places where a match may begin, faster than the automaton; and how many bytes it must see
    /// to know.
    pub(crate) fn prefilter(&self) -> Option<(&Prefilter, usize)> {
        self.inner.prefilter.as_ref().map(|prefilter| (prefilter, prefilter.max_needle_len()))
    }
}

impl From<Pattern> for Patterns {
    /// A set of one. It compiles, because it did when the pattern was made.
    fn from(pattern: Pattern) -> Self {
        Self::new([pattern]).expect("a single pattern was compiled within the same limit when it was made")
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.inner.list).finish()
    }
}

/// The patterns as in a sentence: `a`, `b` or `c`.
/// How many patterns a message names. Behind what is meant to come stands what may come instead: a boot loader's
/// two dozen errors say nothing of a wait that was in vain.
const NAMED: usize = 4;

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.inner.list.len();
        for (index, pattern) in self.inner.list.iter().enumerate() {
            match index {
                NAMED if count > NAMED + 1 => return write!(f, " or one of {} others", count - NAMED),
                0 => {}
                _ if index + 1 == count => f.write_str(" or ")?,
                _ => f.write_str(", ")?,
            }
            write!(f, "`{}`", pattern.as_str().escape_debug())?;
        }
        Ok(())
    }
}

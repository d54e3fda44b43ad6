//! What was found.

use std::borrow::Cow;

use crate::pattern::Pattern;

/// A match of one of several patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    index: usize,
    start: u64,
    piece: Vec<u8>,
    matched: usize,
    groups: Vec<Option<(usize, usize)>>,
    names: Vec<Option<String>>,
}

impl Match {
    /// Reads the groups of a match in the piece of the stream that ends with it. `from` is where that piece is.
    pub(crate) fn read(index: usize, pattern: Option<&Pattern>, piece: &[u8], from: u64) -> Self {
        let groups = pattern.and_then(|pattern| pattern.groups(piece));
        // A match that began before the piece has no groups.
        let groups = groups.unwrap_or_else(|| vec![Some((0, piece.len()))]);
        let (start, end) = groups.first().copied().flatten().unwrap_or((0, piece.len()));
        Self {
            index,
            start: from + start as u64,
            piece: piece[..end].to_vec(),
            matched: start,
            groups,
            names: pattern.map(|pattern| pattern.group_names().to_vec()).unwrap_or_default(),
        }
    }

    /// The same without what came before it.
    pub(crate) fn without_before(mut self) -> Self {
        self.piece.drain(..self.matched);
        for group in self.groups.iter_mut().flatten() {
            *group = (group.0 - self.matched, group.1 - self.matched);
        }
        self.matched = 0;
        self
    }

    /// Which pattern, by its place in the list.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where the match begins, in bytes since the console began.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.start + self.bytes().len() as u64
    }

    /// The match itself.
    pub fn bytes(&self) -> &[u8] {
        &self.piece[self.matched..]
    }

    /// The match as text, bytes that are no UTF-8 replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// What came between the last match and this one, at most as much as the console looks back.
    pub fn before(&self) -> &[u8] {
        &self.piece[..self.matched]
    }

    /// A group by its number, 0 being the whole match; `None` when it took no part.
    pub fn group(&self, number: usize) -> Option<&[u8]> {
        let (start, end) = self.groups.get(number).copied().flatten()?;
        self.piece.get(start..end)
    }

    /// A group by its name.
    pub fn named(&self, name: &str) -> Option<&[u8]> {
        let number = self.names.iter().position(|other| other.as_deref() == Some(name))?;
        self.group(number)
    }
}

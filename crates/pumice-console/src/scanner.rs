//! Looking for patterns in a stream, byte after byte.
//!
//! What is found is defined over the bytes alone, so that it cannot depend on how they came:
//!
//! 1. *When.* A pattern is found at the end of the shortest piece of the stream, counted from where the search
//!    began, in which Python's `re.search` would find any of the patterns. This is what pexpect does when it
//!    is fed byte by byte. A prompt is found at its last byte, with nothing behind it.
//! 2. *Which.* Where several are found there, the one whose match begins first, then the first of the list.
//! 3. *How far.* `port (\d+)` is found at the first digit. So the match is let grow: as long as the next byte
//!    makes the same match longer, and is no line end, it belongs to it. Where no byte could make it longer, as
//!    after `login:`, it is over at once; where one could and none comes, it is over after [`PAUSE`].
//! 4. *What.* The match is what `re.search` finds in the piece up to there, so groups and greed are Python's;
//!    what it leaves over stays unread.
//!
//! A match reaches back at most as far as the look-back of the console. One that is longer is found all the
//! same, with its beginning cut off and without groups.

use std::time::Duration;

use crate::{
    automaton::{Cache, StateId},
    patterns::Patterns,
    window::Window,
};

/// How long nothing must come for a match that could still grow to be taken as it is. A serial line sends
/// two bytes of one word within a millisecond at 9600 baud; a slow simulator within a few.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which pattern, by its place in the list.
    pub(crate) pattern: usize,
    /// Where the piece in which it is begins.
    pub(crate) from: u64,
    /// Where that piece ends.
    pub(crate) end: u64,
}

/// The search for a set of patterns from one place of a stream onwards.
#[derive(Debug)]
pub(crate) struct Scanner {
    patterns: Patterns,
    cache: Cache,
    origin: u64,
    at: u64,
    grows: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Searching(StateId),
    Growing(Growing),
    Found(Found),
}

/// A match that may become longer.
#[derive(Debug)]
struct Growing {
    pattern: usize,
    from: u64,
    end: u64,
    state: StateId,
}

impl Scanner {
    /// Begins to search at `origin`.
    pub(crate) fn new(patterns: Patterns, origin: u64) -> Self {
        let mut cache = patterns.automaton().cache();
        let state = patterns.automaton().start(&mut cache);
        Self { patterns, cache, origin, at: origin, grows: true, stage: Stage::Searching(state) }
    }

    /// The same for who only wants to know when: matches do not grow, and of several the first of the list is
    /// named.
    pub(crate) fn without_growth(patterns: Patterns, origin: u64) -> Self {
        Self { grows: false, ..Self::new(patterns, origin) }
    }

    /// Begins anew at `origin`, with what was learnt about the patterns.
    pub(crate) fn restart(&mut self, origin: u64) {
        let state = self.patterns.automaton().start(&mut self.cache);
        self.origin = origin;
        self.at = origin;
        self.stage = Stage::Searching(state);
    }

    pub(crate) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Where the search began.
    pub(crate) fn origin(&self) -> u64 {
        self.origin
    }

    /// Whether only a pause, or more bytes, can say where the match ends.
    pub(crate) fn is_growing(&self) -> bool {
        matches!(self.stage, Stage::Growing(_))
    }

    /// Reads on in the window as far as `limit`.
    pub(crate) fn advance(&mut self, window: &Window, limit: u64) -> Option<Found> {
        loop {
            match &mut self.stage {
                Stage::Found(found) => return Some(*found),
                // The search begins at a place that has not come yet.
                Stage::Searching(_) if self.at > window.end() => return None,
                Stage::Searching(state) if state.accepts() => self.stage = self.decide(window),
                Stage::Searching(state) => {
                    let bytes = window.slice(self.at, limit);
                    if bytes.is_empty() {
                        return None;
                    }
                    if state.is_dead() {
                        self.at += bytes.len() as u64;
                        return None;
                    }
                    let skipped = if state.is_fresh() { skip(&self.patterns, bytes) } else { 0 };
                    let automaton = self.patterns.automaton();
                    let (next, used) = automaton.run(&mut self.cache, *state, &bytes[skipped..]);
                    *state = next;
                    self.at += (skipped + used) as u64;
                }
                Stage::Growing(growing) => {
                    let automaton = self.patterns.automaton();
                    let next = window.slice(growing.end, limit.min(growing.end + 1));
                    let is_over = match next.first() {
                        None if automaton.can_extend(&mut self.cache, &mut growing.state) => return None,
                        None | Some(b'\r' | b'\n') => true,
                        Some(&byte) => {
                            growing.state = automaton.next(&mut self.cache, growing.state, byte);
                            !growing.state.ends_here()
                        }
                    };
                    if is_over {
                        self.pause();
                    } else {
                        growing.end += 1;
                    }
                }
            }
        }
    }

    /// Nothing has come for a while, or ever will: a match that was growing is over.
    pub(crate) fn pause(&mut self) {
        if let Stage::Growing(Growing { pattern, from, end, .. }) = self.stage {
            self.stage = Stage::Found(Found { pattern, from, end });
        }
    }

    /// Which pattern was found, and whether its match may grow.
    fn decide(&mut self, window: &Window) -> Stage {
        let Stage::Searching(state) = self.stage else {
            unreachable!("called while searching only");
        };
        let from = window.horizon(self.origin, self.at);
        let automaton = self.patterns.automaton();
        if !self.grows {
            let first = automaton.accepted(&self.cache, state).first();
            let pattern = first.map_or(0, regex_automata::PatternID::as_usize);
            return Stage::Found(Found { pattern, from, end: self.at });
        }
        let piece = window.slice(from, self.at);
        let list = self.patterns.list();
        let start_of = |index: usize| list.get(index).and_then(|pattern| pattern.find_start(piece));
        let first = automaton
            .accepted(&self.cache, state)
            .iter()
            .map(|id| (start_of(id.as_usize()), id.as_usize()))
            // One whose beginning is out of sight began before all others.
            .min_by_key(|&(start, index)| (start.map_or(0, |start| start + 1), index));
        let (start, pattern) = first.unwrap_or((None, 0));
        let found = Stage::Found(Found { pattern, from, end: self.at });
        let Some(start) = start else { return found };
        let start = from + start as u64;
        let before = if start == self.origin { None } else { window.before(start) };
        let mut state = automaton.start_at(&mut self.cache, pattern, before);
        for &byte in window.slice(start, self.at) {
            state = automaton.next(&mut self.cache, state, byte);
        }
        if state.ends_here() { Stage::Growing(Growing { pattern, from, end: self.at, state }) } else { found }
    }
}

/// How many bytes can be passed over, because no match begins in them.
fn skip(patterns: &Patterns, bytes: &[u8]) -> usize {
    match patterns.prefilter() {
        Some((prefilter, needle)) if bytes.len() >= needle => {
            let whole = (0..bytes.len()).into();
            match prefilter.find(bytes, whole) {
                Some(candidate) => candidate.start,
                // One may begin in what is too short to tell.
                None => bytes.len() + 1 - needle.max(1),
            }
        }
        _ => 0,
    }
}

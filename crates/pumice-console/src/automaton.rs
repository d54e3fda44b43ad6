//! A deterministic automaton for several patterns at once, built while it runs.
//!
//! regex-automata's own lazy DFA reports a match one byte late and cannot be asked "and if the data ended
//! here?" without risking the state it is in. A console needs that answer after every byte, because a prompt
//! has nothing behind it. So the subset construction is done here, over regex-automata's NFA, with one
//! difference: whether a state *accepts* is decided as if the data ended there. Asking costs nothing.
//!
//! A state is the set of NFA states reached, with `\A`, `$`, `\b` not yet decided, and the kind of the byte
//! before. States and transitions are kept up to a limit; past it all are dropped but the one in use, so that
//! the cost of a byte is bounded by the size of the NFA whatever the pattern, and memory by the limit.

use std::collections::HashMap;

use regex_automata::{
    nfa::thompson::{NFA, State as Node},
    util::primitives::{PatternID, StateID},
};
use regex_syntax::hir::Look as SyntaxLook;

/// States and transitions together may take this much.
const MEMORY_LIMIT_BYTES: usize = 1 << 20;

/// A state, as the offset of its row of transitions, with what must be noticed about it in the high bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateId(u32);

impl StateId {
    /// Some pattern is found if the data ends here.
    const ACCEPTS: u32 = 1 << 31;
    /// Nothing can be found any more.
    const DEAD: u32 = 1 << 30;
    /// No match is under way; all is as at the beginning.
    const FRESH: u32 = 1 << 29;
    /// Not computed yet.
    const UNKNOWN: u32 = 1 << 28;
    /// What was found ended a byte ago, and only this byte could tell.
    const LATE: u32 = 1 << 27;
    const ROW: u32 = Self::LATE - 1;

    pub(crate) fn accepts(self) -> bool {
        self.0 & Self::ACCEPTS != 0
    }

    /// Some pattern is found that ends just here.
    pub(crate) fn ends_here(self) -> bool {
        self.0 & (Self::ACCEPTS | Self::LATE) == Self::ACCEPTS
    }

    pub(crate) fn is_fresh(self) -> bool {
        self.0 & Self::FRESH != 0
    }

    pub(crate) fn is_dead(self) -> bool {
        self.0 & Self::DEAD != 0
    }

    fn row(self) -> usize {
        (self.0 & Self::ROW) as usize
    }
}

/// What stood before a place, as far as a pattern can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Before {
    Start,
    LineFeed,
    Word,
    Other,
}

impl Before {
    fn of(byte: u8) -> Self {
        match byte {
            b'\n' => Self::LineFeed,
            _ if is_word(byte) => Self::Word,
            _ => Self::Other,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What a state is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    nodes: Box<[u32]>,
    before: Before,
    /// Patterns found one byte ago that could be told only by the byte after: `foo\B`.
    late: Box<[u32]>,
}

/// The immutable part: the NFA and what is read off it.
#[derive(Debug)]
pub(crate) struct Automaton {
    nfa: NFA,
    classes: [u8; 256],
    /// One byte of each class.
    representatives: Vec<u8>,
    has_places: bool,
    marks_fresh: bool,
}

impl Automaton {
    /// Whether a pattern of `nfa` asks about the place it is at: `^`, `$`, `\b`.
    pub(crate) fn asks_about_places(nfa: &NFA) -> bool {
        !nfa.look_set_any().is_empty()
    }

    /// With `marks_fresh`, states in which no match is under way are to be noticed.
    pub(crate) fn new(nfa: NFA, marks_fresh: bool) -> Self {
        let byte_classes = *nfa.byte_classes();
        let mut classes = [0; 256];
        let mut representatives = Vec::new();
        for byte in 0..=255_u8 {
            let class = byte_classes.get(byte);
            classes[usize::from(byte)] = class;
            if usize::from(class) == representatives.len() {
                representatives.push(byte);
            }
        }
        let has_places = Self::asks_about_places(&nfa);
        Self { nfa, classes, representatives, has_places, marks_fresh }
    }

    fn stride(&self) -> usize {
        self.representatives.len()
    }
}

/// The mutable part: the states seen so far. One for each stream that is read.
#[derive(Debug)]
pub(crate) struct Cache {
    transitions: Vec<StateId>,
    keys: Vec<Key>,
    accepted: Vec<Box<[PatternID]>>,
    ids: HashMap<Key, StateId>,
    memory_bytes: usize,
    /// The nodes that say "as at the beginning".
    fresh: Option<Box<[u32]>>,
    scratch: Scratch,
}

/// Room for computing one set of nodes.
#[derive(Debug, Default)]
struct Scratch {
    stack: Vec<StateID>,
    /// By node: the number of the last computation that met it.
    met: Vec<u32>,
    turn: u32,
}

impl Scratch {
    fn begin(&mut self, nodes: usize) {
        self.met.resize(nodes, 0);
        if self.turn == u32::MAX {
            self.met.fill(0);
            self.turn = 0;
        }
        self.turn += 1;
    }

    fn is_new(&mut self, node: StateID) -> bool {
        let met = &mut self.met[node.as_usize()];
        let is_new = *met != self.turn;
        *met = self.turn;
        is_new
    }
}

/// What stands behind a place.
#[derive(Clone, Copy)]
enum After {
    Byte(u8),
    End,
}

impl Automaton {
    pub(crate) fn cache(&self) -> Cache {
        let mut cache = Cache {
            transitions: Vec::new(),
            keys: Vec::new(),
            accepted: Vec::new(),
            ids: HashMap::new(),
            memory_bytes: 0,
            fresh: None,
            scratch: Scratch::default(),
        };
        if self.marks_fresh && !self.has_places {
            let nodes = self.closure(&mut cache.scratch, &[self.nfa.start_unanchored()]);
            cache.fresh = Some(nodes);
        }
        cache
    }

    /// The state before the first byte, from which any pattern may begin anywhere.
    pub(crate) fn start(&self, cache: &mut Cache) -> StateId {
        self.enter(cache, self.nfa.start_unanchored())
    }

    /// The state before the first byte, from which this pattern must begin at once. `before` is the byte in
    /// front of it, if there is one.
    pub(crate) fn start_at(&self, cache: &mut Cache, pattern: usize, before: Option<u8>) -> StateId {
        let node = PatternID::new(pattern).ok().and_then(|pattern| self.nfa.start_pattern(pattern));
        let nodes = match node {
            Some(node) => self.closure(&mut cache.scratch, &[node]),
            None => Box::default(),
        };
        let before = match before {
            Some(byte) if self.has_places => Before::of(byte),
            _ => Before::Start,
        };
        self.intern(cache, Key { nodes, before, late: Box::default() })
    }

    fn enter(&self, cache: &mut Cache, node: StateID) -> StateId {
        let nodes = self.closure(&mut cache.scratch, &[node]);
        self.intern(cache, Key { nodes, before: Before::Start, late: Box::default() })
    }

    /// The state after one more byte.
    #[inline]
    pub(crate) fn next(&self, cache: &mut Cache, state: StateId, byte: u8) -> StateId {
        let class = usize::from(self.classes[usize::from(byte)]);
        let next = cache.transitions[state.row() + class];
        if next.0 & StateId::UNKNOWN == 0 { next } else { self.compute(cache, state, class) }
    }

    /// Goes on until a state is reached that something must be noticed about, or the bytes are used up.
    /// Returns that state and how many bytes were used.
    pub(crate) fn run(&self, cache: &mut Cache, mut state: StateId, bytes: &[u8]) -> (StateId, usize) {
        let mut used = 0;
        while used < bytes.len() {
            // The common case: states that are known and that say nothing.
            let transitions = cache.transitions.as_slice();
            let mut row = state.row();
            let rest = &bytes[used..];
            let quiet = rest
                .iter()
                .position(|&byte| {
                    let next = transitions[row + usize::from(self.classes[usize::from(byte)])];
                    if next.0 > StateId::ROW {
                        return true;
                    }
                    row = next.0 as usize;
                    false
                })
                .unwrap_or(rest.len());
            if quiet > 0 {
                state = StateId(u32::try_from(row).unwrap_or(StateId::ROW));
            }
            used += quiet;
            if used == bytes.len() {
                break;
            }
            state = self.next(cache, state, bytes[used]);
            used += 1;
            if state.0 > StateId::ROW {
                break;
            }
        }
        (state, used)
    }

    /// The patterns that are found if the data ends in this state.
    pub(crate) fn accepted<'a>(&self, cache: &'a Cache, state: StateId) -> &'a [PatternID] {
        &cache.accepted[state.row() / self.stride()]
    }

    /// Whether one more byte, other than a line's end, could make a match end there too. `state` stays
    /// valid, under its new id if it was moved.
    pub(crate) fn can_extend(&self, cache: &mut Cache, state: &mut StateId) -> bool {
        for index in 0..self.representatives.len() {
            let byte = self.representatives[index];
            let class = self.classes[usize::from(byte)];
            let only_line_ends = (0..=255_u8)
                .filter(|&other| self.classes[usize::from(other)] == class)
                .all(|other| matches!(other, b'\r' | b'\n'));
            if only_line_ends {
                continue;
            }
            let key = cache.keys[state.row() / self.stride()].clone();
            let next = self.next(cache, *state, byte);
            *state = self.intern(cache, key);
            if next.ends_here() {
                return true;
            }
        }
        false
    }

    /// The transition of `state` for a class of bytes, which was not known.
    #[cold]
    fn compute(&self, cache: &mut Cache, mut state: StateId, class: usize) -> StateId {
        let byte = self.representatives[class];
        let key = cache.keys[state.row() / self.stride()].clone();
        let accepted = cache.accepted[state.row() / self.stride()].clone();
        let next = self.step(&mut cache.scratch, &key, &accepted, byte);
        let size = self.size(&next);
        if cache.memory_bytes + size > MEMORY_LIMIT_BYTES {
            cache.transitions.clear();
            cache.keys.clear();
            cache.accepted.clear();
            cache.ids.clear();
            cache.memory_bytes = 0;
            state = self.intern(cache, key);
        }
        let next = self.intern(cache, next);
        cache.transitions[state.row() + class] = next;
        next
    }

    /// The set after one more byte. `accepted` is what was found before it.
    fn step(&self, scratch: &mut Scratch, key: &Key, accepted: &[PatternID], byte: u8) -> Key {
        let resolved = self.resolve(scratch, key, After::Byte(byte));
        let mut targets = Vec::new();
        let mut late = Vec::new();
        for &index in &*resolved {
            match self.nfa.state(id(index)) {
                Node::ByteRange { trans } if trans.matches_byte(byte) => targets.push(trans.next),
                Node::Sparse(sparse) => targets.extend(sparse.matches_byte(byte)),
                Node::Dense(dense) => targets.extend(dense.matches_byte(byte)),
                Node::Match { pattern_id } if self.has_places && !accepted.contains(pattern_id) => {
                    late.push(pattern_id.as_u32());
                }
                _ => {}
            }
        }
        let nodes = self.closure(scratch, &targets);
        late.sort_unstable();
        late.dedup();
        let before = if self.has_places { Before::of(byte) } else { Before::Start };
        Key { nodes, before, late: late.into() }
    }

    /// Where one gets from `from` without reading a byte, places not decided; sorted.
    fn closure(&self, scratch: &mut Scratch, from: &[StateID]) -> Box<[u32]> {
        self.explore(scratch, from, |_| false)
    }

    /// The set of a state with its places decided, now that both sides of them are known.
    fn resolve(&self, scratch: &mut Scratch, key: &Key, after: After) -> Box<[u32]> {
        if !self.has_places {
            return key.nodes.clone();
        }
        let from: Vec<StateID> = key.nodes.iter().map(|&index| id(index)).collect();
        self.explore(scratch, &from, |look| holds(look, key.before, after))
    }

    fn explore(
        &self,
        scratch: &mut Scratch,
        from: &[StateID],
        holds: impl Fn(SyntaxLook) -> bool,
    ) -> Box<[u32]> {
        scratch.begin(self.nfa.states().len());
        scratch.stack.clear();
        scratch.stack.extend(from);
        let mut found = Vec::new();
        while let Some(node) = scratch.stack.pop() {
            if !scratch.is_new(node) {
                continue;
            }
            match self.nfa.state(node) {
                Node::Union { alternates } => scratch.stack.extend(alternates.iter()),
                Node::BinaryUnion { alt1, alt2 } => scratch.stack.extend([*alt1, *alt2]),
                Node::Capture { next, .. } => scratch.stack.push(*next),
                Node::Look { look, next } => {
                    if holds(syntax(*look)) {
                        scratch.stack.push(*next);
                    }
                    found.push(node.as_u32());
                }
                Node::Fail => {}
                Node::ByteRange { .. } | Node::Sparse(_) | Node::Dense(_) | Node::Match { .. } => {
                    found.push(node.as_u32());
                }
            }
        }
        found.sort_unstable();
        found.into()
    }

    /// The id of a state, which is made when it is not there.
    fn intern(&self, cache: &mut Cache, key: Key) -> StateId {
        if let Some(&known) = cache.ids.get(&key) {
            return known;
        }
        let ended = self.resolve(&mut cache.scratch, &key, After::End);
        let mut accepted: Vec<PatternID> = ended
            .iter()
            .filter_map(|&index| match self.nfa.state(id(index)) {
                Node::Match { pattern_id } => Some(*pattern_id),
                _ => None,
            })
            .collect();
        let is_late = accepted.is_empty();
        accepted.extend(key.late.iter().filter_map(|&pattern| PatternID::new(pattern as usize).ok()));
        accepted.sort_unstable();
        accepted.dedup();
        let mut bits = u32::try_from(cache.transitions.len()).unwrap_or(0);
        if !accepted.is_empty() {
            bits |= if is_late { StateId::ACCEPTS | StateId::LATE } else { StateId::ACCEPTS };
        }
        if key.nodes.is_empty() {
            bits |= StateId::DEAD;
        }
        if cache.fresh.as_ref() == Some(&key.nodes) {
            bits |= StateId::FRESH;
        }
        let state = StateId(bits);
        cache.memory_bytes += self.size(&key);
        cache.transitions.resize(cache.transitions.len() + self.stride(), StateId(StateId::UNKNOWN));
        cache.accepted.push(accepted.into());
        cache.keys.push(key.clone());
        cache.ids.insert(key, state);
        state
    }

    /// What a state costs, in round figures.
    fn size(&self, key: &Key) -> usize {
        2 * (key.nodes.len() + key.late.len()) * size_of::<u32>()
            + self.stride() * size_of::<StateId>()
            + 2 * size_of::<Key>()
            + 64
    }
}

fn id(index: u32) -> StateID {
    StateID::new(index as usize).unwrap_or(StateID::ZERO)
}

/// Whether a place is what a pattern wants it to be.
fn holds(look: SyntaxLook, before: Before, after: After) -> bool {
    let word_before = before == Before::Word;
    let word_after = matches!(after, After::Byte(byte) if is_word(byte));
    match look {
        SyntaxLook::Start => before == Before::Start,
        SyntaxLook::StartLF => matches!(before, Before::Start | Before::LineFeed),
        SyntaxLook::End => matches!(after, After::End),
        SyntaxLook::EndLF => matches!(after, After::End | After::Byte(b'\n')),
        SyntaxLook::WordAscii => word_before != word_after,
        SyntaxLook::WordAsciiNegate => word_before == word_after,
        // The reader of patterns makes no others.
        _ => false,
    }
}

/// The two crates name the same things by two types.
fn syntax(look: regex_automata::util::look::Look) -> SyntaxLook {
    use regex_automata::util::look::Look;
    match look {
        Look::Start => SyntaxLook::Start,
        Look::End => SyntaxLook::End,
        Look::StartLF => SyntaxLook::StartLF,
        Look::EndLF => SyntaxLook::EndLF,
        Look::WordAscii => SyntaxLook::WordAscii,
        _ => SyntaxLook::WordAsciiNegate,
    }
}

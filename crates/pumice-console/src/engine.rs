//! Everything a console knows, without time, tasks or descriptors: bytes go in, matches and messages come out.
//!
//! One [`Reader`] is one search that somebody waits for. It sees matches and fatal messages in the order in
//! which they stand in the stream, whatever the order in which they were noticed.

use std::{collections::VecDeque, time::Instant};

use crate::{
    found::Match,
    pattern::PatternError,
    patterns::Patterns,
    scanner::{Found, Scanner},
    watch::{LINE_LIMIT, Message, Watch, Watcher},
    window::Window,
};

/// Who waits for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderId(u64);

/// What a reader meets.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// One of its patterns.
    Match(Match),
    /// A watch that ends waits.
    Fatal(Message),
}

/// How far a match may reach back, unless something else is asked for.
pub(crate) const LOOK_BACK_BYTES: usize = 128 * 1024;

/// Events of one reader that nobody took are kept up to this many.
const QUEUE_LIMIT: usize = 4096;

/// And their matches up to this many bytes in all.
const QUEUE_LIMIT_BYTES: usize = 1 << 20;

/// Fatal messages that no wait has met are kept up to this many; the first of them is the one that counts.
const FATAL_LIMIT: usize = 64;

#[derive(Debug)]
struct Reader {
    id: ReaderId,
    scanner: Scanner,
    /// Goes on after a match, with matches kept until they are taken; else it stops at the first event.
    goes_on: bool,
    minds_fatal: bool,
    /// Fatal messages after this place were not met yet.
    fatal_after: u64,
    events: VecDeque<Event>,
    queued_bytes: usize,
    /// Events that did not fit.
    lost: u64,
}

#[derive(Debug)]
pub(crate) struct Engine {
    window: Window,
    watcher: Watcher,
    /// Fatal messages that no wait has met yet.
    fatal: Vec<Message>,
    readers: Vec<Reader>,
    next_reader: u64,
    /// Up to where the waits one after another have read.
    cursor: u64,
    last_activity: Instant,
    is_closed: bool,
}

impl Engine {
    pub(crate) fn new(look_back: usize, watches: Vec<Watch>, now: Instant) -> Result<Self, PatternError> {
        let patterns = Patterns::new(watches.iter().map(|watch| watch.pattern.clone()))?;
        let least = usize::try_from(LINE_LIMIT).unwrap_or(usize::MAX) * 4;
        Ok(Self {
            window: Window::new(look_back.max(least)),
            watcher: Watcher::new(watches, patterns),
            fatal: Vec::new(),
            readers: Vec::new(),
            next_reader: 0,
            cursor: 0,
            last_activity: now,
            is_closed: false,
        })
    }

    /// Takes what has come. Returns whether a reader met something.
    pub(crate) fn feed(&mut self, bytes: &[u8], now: Instant) -> bool {
        self.window.push(bytes);
        self.last_activity = now;
        self.watcher.advance(&self.window, now, &mut self.fatal);
        self.fatal.truncate(FATAL_LIMIT);
        self.step_all()
    }

    /// Whether something is undecided that a pause decides.
    pub(crate) fn wants_pause(&self) -> bool {
        self.watcher.open().is_some() || self.readers.iter().any(|reader| reader.scanner.is_growing())
    }

    /// Nothing has come for [`crate::scanner::PAUSE`]. Returns whether a reader met something.
    pub(crate) fn pause(&mut self, now: Instant) -> bool {
        self.watcher.pause(&self.window, now, &mut self.fatal);
        for reader in &mut self.readers {
            reader.scanner.pause();
        }
        self.step_all()
    }

    /// Nothing will come any more.
    pub(crate) fn close(&mut self, now: Instant) {
        // What one pause decides may uncover what the next does.
        while self.wants_pause() {
            self.pause(now);
        }
        self.is_closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(crate) fn last_activity(&self) -> Instant {
        self.last_activity
    }

    /// How many bytes have come.
    pub(crate) fn total(&self) -> u64 {
        self.window.end()
    }

    pub(crate) fn tail(&self, length: usize) -> &[u8] {
        self.window.tail(length)
    }

    pub(crate) fn messages(&self) -> (&[Message], u64) {
        (self.watcher.messages(), self.watcher.dropped())
    }

    /// Begins a search at the cursor.
    pub(crate) fn begin(&mut self, patterns: Patterns, goes_on: bool, minds_fatal: bool) -> ReaderId {
        let id = ReaderId(self.next_reader);
        self.next_reader += 1;
        let origin = self.window.horizon(self.cursor, self.window.end());
        let scanner = Scanner::new(patterns, origin);
        let mut reader = Reader {
            id,
            scanner,
            goes_on,
            minds_fatal,
            fatal_after: self.cursor,
            events: VecDeque::new(),
            queued_bytes: 0,
            lost: 0,
        };
        reader.step(&self.window, &self.watcher, &self.fatal);
        if self.is_closed {
            reader.scanner.pause();
            reader.step(&self.window, &self.watcher, &self.fatal);
        }
        self.readers.push(reader);
        id
    }

    /// Ends a search. What it met and nobody took stays unread.
    pub(crate) fn end(&mut self, id: ReaderId) {
        self.readers.retain(|reader| reader.id != id);
    }

    /// The next thing a reader met.
    pub(crate) fn take(&mut self, id: ReaderId) -> Option<Event> {
        let reader = self.readers.iter_mut().find(|reader| reader.id == id)?;
        let event = reader.events.pop_front()?;
        reader.queued_bytes -= event.size();
        Some(event)
    }

    /// How many events of a reader were lost since this was last asked.
    pub(crate) fn take_lost(&mut self, id: ReaderId) -> u64 {
        let reader = self.readers.iter_mut().find(|reader| reader.id == id);
        reader.map_or(0, |reader| std::mem::take(&mut reader.lost))
    }

    /// Moves the cursor behind what a wait met, so that the next wait goes on there.
    pub(crate) fn consume(&mut self, event: &Event) {
        match event {
            Event::Match(found) => self.move_cursor(found.end()),
            Event::Fatal(message) => {
                self.move_cursor(message.offset);
                self.fatal.retain(|other| other.offset > message.offset);
            }
        }
    }

    /// Leaves what has come so far unread for ever.
    pub(crate) fn skip(&mut self) {
        self.move_cursor(self.window.end());
        self.fatal.clear();
    }

    fn move_cursor(&mut self, to: u64) {
        self.cursor = self.cursor.max(to);
        let cursor = self.cursor;
        self.fatal.retain(|message| message.offset >= cursor);
    }

    fn step_all(&mut self) -> bool {
        let mut met = false;
        for reader in &mut self.readers {
            met |= reader.step(&self.window, &self.watcher, &self.fatal);
        }
        met
    }
}

/// What a [`crate::Subscription`] to `patterns` finds in a stream that comes in these pieces and then ends: for
/// trying patterns on a transcript. Matches beyond what a subscription keeps are left out.
pub fn matches_in<'a>(patterns: &Patterns, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Match> {
    let now = Instant::now();
    // Without watches there is nothing to refuse.
    let Ok(mut engine) = Engine::new(LOOK_BACK_BYTES, Vec::new(), now) else { return Vec::new() };
    let reader = engine.begin(patterns.clone(), true, false);
    let mut matches = Vec::new();
    let mut take = |engine: &mut Engine| {
        while let Some(Event::Match(found)) = engine.take(reader) {
            matches.push(found);
        }
    };
    for piece in pieces {
        engine.feed(piece, now);
        take(&mut engine);
    }
    engine.close(now);
    take(&mut engine);
    matches
}

impl Reader {
    /// Reads as far as it may. Returns whether it met something.
    fn step(&mut self, window: &Window, watcher: &Watcher, fatal: &[Message]) -> bool {
        let mut met = false;
        while self.goes_on || self.events.is_empty() {
            let after = self.fatal_after;
            let first = fatal.iter().find(|message| self.minds_fatal && message.offset > after);
            // Nobody looks past what is fatal, or may turn out to be.
            let limit = match first {
                Some(message) => message.offset,
                None => watcher.open().filter(|_| self.minds_fatal).unwrap_or(window.end()),
            };
            let event = match self.scanner.advance(window, limit) {
                Some(found) => {
                    let found = self.read(window, found);
                    // A match of nothing must not be found at the same place for ever.
                    self.scanner.restart(found.end().max(self.scanner.origin() + 1));
                    Event::Match(found)
                }
                None => match first {
                    None => return met,
                    Some(_) if self.scanner.is_growing() => {
                        self.scanner.pause();
                        continue;
                    }
                    Some(message) => {
                        self.scanner.restart(message.offset.max(self.scanner.origin()));
                        self.fatal_after = message.offset;
                        Event::Fatal(message.clone())
                    }
                },
            };
            met = true;
            self.push(event);
        }
        met
    }

    fn push(&mut self, event: Event) {
        let size = event.size();
        let has_room = self.events.len() < QUEUE_LIMIT && self.queued_bytes + size <= QUEUE_LIMIT_BYTES;
        if has_room || self.events.is_empty() {
            self.queued_bytes += size;
            self.events.push_back(event);
        } else {
            self.lost += 1;
        }
    }

    fn read(&self, window: &Window, found: Found) -> Match {
        let Found { pattern: index, from, end } = found;
        let list = self.scanner.patterns().list();
        let found = Match::read(index, list.get(index), window.slice(from, end), from);
        // What stands between the matches of a search that goes on would fill the queue.
        if self.goes_on { found.without_before() } else { found }
    }
}

impl Event {
    /// How much of the queue it takes.
    fn size(&self) -> usize {
        match self {
            Self::Match(found) => found.before().len() + found.bytes().len(),
            Self::Fatal(message) => message.line.len(),
        }
    }
}

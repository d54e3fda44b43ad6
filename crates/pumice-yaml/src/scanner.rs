//! The text cut into tokens, by the rules of PyYAML's scanner.
//!
//! The algorithm is that of `scanner.py` of PyYAML 6.0.3 (MIT): indentation becomes tokens, and a key is known to be
//! one only when its `:` is met, so tokens wait in a queue until that is decided. Two things are taken from libyaml
//! 0.2.5, which LAVA uses where it is installed: tabs may separate tokens where no indentation can begin, and a plain
//! text in brackets may hold `?`.
//!
//! Mistakes that leave no doubt about what was meant are noted and passed; the others end the scan.

mod block;
mod plain;
mod properties;
mod quoted;

use std::collections::VecDeque;

use pumice_types::{Diagnostic, Diagnostics, SourceId, Span};

use crate::{
    codes,
    cursor::{Cursor, END, Mark, is_blank_or_end, is_break_or_end},
    token::{Kind, Token},
};

/// What cannot be read any further.
pub(crate) type Fatal = Box<Diagnostic>;

/// A place where a key may have begun.
#[derive(Clone, Copy, Debug)]
struct PossibleKey {
    /// The number of its token in the whole text.
    token: usize,
    /// Nothing but a key may stand there.
    required: bool,
    mark: Mark,
}

/// A key is no longer than this, in characters.
const LONGEST_KEY: usize = 1024;

/// More mistakes than this are not noted.
const MOST_NOTED: usize = 100;

/// Cuts a text into tokens.
pub(crate) struct Scanner<'t> {
    cursor: Cursor<'t>,
    tokens: VecDeque<Token<'t>>,
    /// How many tokens were taken from the queue.
    taken: usize,
    done: bool,
    /// Open brackets.
    flow_level: usize,
    /// Column of the current block, -1 outside of all.
    indent: isize,
    indents: Vec<isize>,
    key_allowed: bool,
    /// By flow level.
    possible_keys: Vec<Option<PossibleKey>>,
    /// Mistakes that were passed.
    pub(crate) noted: Diagnostics,
    noted_count: usize,
    /// A mistake was passed that may make what follows look wrong.
    pub(crate) doubtful: bool,
    /// The last line with a stray `:`, so that one mistake is not told line by line.
    stray_value_line: Option<usize>,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str, source: SourceId) -> Self {
        Self {
            cursor: Cursor::new(text, source),
            tokens: VecDeque::new(),
            taken: 0,
            done: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            possible_keys: vec![None],
            noted: Diagnostics::new(),
            noted_count: 0,
            doubtful: false,
            stray_value_line: None,
        }
    }

    /// The next token, left in the queue. After the end it is the end again.
    pub(crate) fn peek(&mut self) -> Result<&Token<'t>, Fatal> {
        while self.needs_more()? {
            self.fetch()?;
        }
        if self.tokens.is_empty() {
            let span = self.cursor.span_from(self.cursor.mark());
            self.tokens.push_back(Token { kind: Kind::StreamEnd, span });
        }
        Ok(&self.tokens[0])
    }

    /// The next token, taken from the queue.
    pub(crate) fn next(&mut self) -> Result<Token<'t>, Fatal> {
        let end = self.peek()?.span;
        self.taken += 1;
        Ok(self.tokens.pop_front().unwrap_or(Token { kind: Kind::StreamEnd, span: end }))
    }

    /// Whether the first token of the queue is not certain yet: a key token may have to go before it.
    fn needs_more(&mut self) -> Result<bool, Fatal> {
        if self.done {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        self.drop_stale_keys()?;
        Ok(self.possible_keys.iter().flatten().any(|key| key.token == self.taken))
    }

    fn note(&mut self, diagnostic: Diagnostic) {
        if self.noted_count < MOST_NOTED {
            self.noted.push(diagnostic);
        }
        self.noted_count += 1;
    }

    /// Scans one token, or several that belong together, to the end of the queue.
    fn fetch(&mut self) -> Result<(), Fatal> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unwind(self.cursor.column());
        let next = self.cursor.peek_at(1);
        let in_flow = self.flow_level > 0;
        match self.cursor.peek() {
            END => self.fetch_end(),
            '%' if self.cursor.column() == 0 => self.fetch_directive(),
            '-' if self.cursor.at_document_marker("---") => self.fetch_document_marker(Kind::DocumentStart),
            '.' if self.cursor.at_document_marker("...") => self.fetch_document_marker(Kind::DocumentEnd),
            '[' => self.open_flow(Kind::FlowSequenceStart),
            '{' => self.open_flow(Kind::FlowMappingStart),
            ']' => self.close_flow(Kind::FlowSequenceEnd),
            '}' => self.close_flow(Kind::FlowMappingEnd),
            ',' => self.fetch_flow_entry(),
            '-' if is_blank_or_end(next) => self.fetch_block_entry(),
            '?' if in_flow || is_blank_or_end(next) => self.fetch_key(),
            ':' if in_flow || is_blank_or_end(next) => self.fetch_value(),
            '*' | '&' => self.fetch_anchor(),
            '!' => self.fetch_tag(),
            '|' | '>' if !in_flow => self.fetch_block_scalar(),
            quote @ ('\'' | '"') => self.fetch_quoted(quote),
            '\t' => {
                let start = self.cursor.mark();
                self.cursor.skip_blanks();
                Err(tab_indents(self.cursor.span_from(start)))
            }
            _ => self.fetch_plain(),
        }
    }

    fn push(&mut self, kind: Kind<'t>, start: Mark) {
        let span = self.cursor.span_from(start);
        self.tokens.push_back(Token { kind, span });
    }

    /// Adds the token that the next `bytes` bytes are.
    fn push_bytes(&mut self, kind: Kind<'t>, bytes: usize) {
        let start = self.cursor.mark();
        self.cursor.skip_bytes(bytes);
        self.push(kind, start);
    }

    // Keys

    fn drop_stale_keys(&mut self) -> Result<(), Fatal> {
        let here = self.cursor.mark();
        for level in 0..self.possible_keys.len() {
            let Some(key) = self.possible_keys[level] else { continue };
            if key.mark.line != here.line || here.character - key.mark.character > LONGEST_KEY {
                self.drop_key(level)?;
            }
        }
        Ok(())
    }

    /// Forgets that a key may have begun at this flow level.
    fn drop_key(&mut self, level: usize) -> Result<(), Fatal> {
        match self.possible_keys[level].take() {
            Some(key) if key.required => self.colon_is_missing(key),
            _ => Ok(()),
        }
    }

    /// Nothing but a key could stand there and no `:` followed. On a line of its own it is taken for a key without
    /// a value; otherwise the text cannot be read any further.
    fn colon_is_missing(&mut self, key: PossibleKey) -> Result<(), Fatal> {
        let index = self.place_of(key);
        let span = self.tokens.get(index).map_or_else(|| self.cursor.span_from(key.mark), |token| token.span);
        let diagnostic = Diagnostic::error(codes::SYNTAX, span, "a key without a `:`")
            .label("expected `:` behind it")
            .help("write `key: value`; a text that goes on over several lines must be indented deeper than its key");
        let alone = index + 1 == self.tokens.len()
            && self.tokens.get(index).is_some_and(|token| matches!(token.kind, Kind::Scalar { .. }))
            && !self.cursor.text_from(key.mark).trim_end().contains(['\n', '\r']);
        if !alone {
            return Err(Box::new(diagnostic));
        }
        self.note(diagnostic);
        self.doubtful = true;
        let at = |kind, span| Token { kind, span };
        let mut end = span;
        end.start = span.end;
        self.tokens.insert(index, at(Kind::Key, span));
        self.tokens.push_back(at(Kind::Value, end));
        Ok(())
    }

    /// Where in the queue the token stands that may be a key. It is still there: see [`Self::needs_more`].
    fn place_of(&self, key: PossibleKey) -> usize {
        key.token.saturating_sub(self.taken).min(self.tokens.len())
    }

    /// Notes that a key may begin here.
    fn key_may_begin(&mut self) -> Result<(), Fatal> {
        let mark = self.cursor.mark();
        let required = self.flow_level == 0 && usize::try_from(self.indent) == Ok(mark.column);
        if self.key_allowed {
            self.drop_key(self.flow_level)?;
            let token = self.taken + self.tokens.len();
            self.possible_keys[self.flow_level] = Some(PossibleKey { token, required, mark });
        }
        Ok(())
    }

    // Indentation

    /// Closes the blocks that begin right of `column`.
    fn unwind(&mut self, column: usize) {
        if self.flow_level == 0 {
            self.unwind_to(isize::try_from(column).unwrap_or(isize::MAX));
        }
    }

    fn unwind_to(&mut self, column: isize) {
        while self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.push(Kind::BlockEnd, self.cursor.mark());
        }
    }

    /// Opens a block at `column`, if it is right of the current one.
    fn indents_at(&mut self, column: usize) -> bool {
        let column = isize::try_from(column).unwrap_or(isize::MAX);
        let deeper = self.indent < column;
        if deeper {
            self.indents.push(self.indent);
            self.indent = column;
        }
        deeper
    }

    // Tokens of one or a few characters

    fn fetch_end(&mut self) -> Result<(), Fatal> {
        self.drop_key(self.flow_level)?;
        if self.flow_level == 0 {
            self.unwind_to(-1);
        }
        self.key_allowed = false;
        self.possible_keys.fill(None);
        self.push(Kind::StreamEnd, self.cursor.mark());
        self.done = true;
        Ok(())
    }

    fn begin_of_document_part(&mut self) -> Result<(), Fatal> {
        self.drop_key(self.flow_level)?;
        if self.flow_level == 0 {
            self.unwind_to(-1);
        }
        self.key_allowed = false;
        Ok(())
    }

    fn fetch_document_marker(&mut self, kind: Kind<'t>) -> Result<(), Fatal> {
        self.begin_of_document_part()?;
        self.push_bytes(kind, 3);
        Ok(())
    }

    fn open_flow(&mut self, kind: Kind<'t>) -> Result<(), Fatal> {
        self.key_may_begin()?;
        self.flow_level += 1;
        self.possible_keys.resize(self.flow_level + 1, None);
        self.key_allowed = true;
        self.push_bytes(kind, 1);
        Ok(())
    }

    fn close_flow(&mut self, kind: Kind<'t>) -> Result<(), Fatal> {
        self.drop_key(self.flow_level)?;
        self.flow_level = self.flow_level.saturating_sub(1);
        self.possible_keys.truncate(self.flow_level + 1);
        self.key_allowed = false;
        self.push_bytes(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), Fatal> {
        self.key_allowed = true;
        self.drop_key(self.flow_level)?;
        self.push_bytes(Kind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Fatal> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(self
                    .misplaced("`- ` begins an item and cannot stand here", "put it on a line of its own"));
            }
            if self.indents_at(self.cursor.column()) {
                self.push(Kind::BlockSequenceStart, self.cursor.mark());
            }
        }
        self.key_allowed = true;
        self.drop_key(self.flow_level)?;
        self.push_bytes(Kind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Fatal> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                return Err(self.misplaced("`? ` begins a key and cannot stand here", "quote the text"));
            }
            if self.indents_at(self.cursor.column()) {
                self.push(Kind::BlockMappingStart, self.cursor.mark());
            }
        }
        self.key_allowed = self.flow_level == 0;
        self.drop_key(self.flow_level)?;
        self.push_bytes(Kind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Fatal> {
        if let Some(key) = self.possible_keys[self.flow_level].take() {
            let span = self.cursor.span(key.mark, key.mark);
            let index = self.place_of(key);
            self.tokens.insert(index, Token { kind: Kind::Key, span });
            if self.flow_level == 0 && self.indents_at(key.mark.column) {
                self.tokens.insert(index, Token { kind: Kind::BlockMappingStart, span });
            }
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    self.stray_value();
                    return Ok(());
                }
                if self.indents_at(self.cursor.column()) {
                    self.push(Kind::BlockMappingStart, self.cursor.mark());
                }
            }
            self.key_allowed = self.flow_level == 0;
            self.drop_key(self.flow_level)?;
        }
        self.push_bytes(Kind::Value, 1);
        Ok(())
    }

    /// A `: ` in the middle of a value: it and the rest of its line are passed.
    fn stray_value(&mut self) {
        let line = self.cursor.mark().line;
        if self.stray_value_line.is_none_or(|last| last + 1 < line) {
            self.note(*self.misplaced(
                "`: ` makes a key, and there cannot be one here",
                "quote the text if the `:` belongs to it; if a key is meant, check the indentation, and that the \
                 line above it ends in `:`",
            ));
        }
        self.stray_value_line = Some(line);
        self.doubtful = true;
        self.cursor.skip_line();
    }

    fn misplaced(&self, message: &str, help: &str) -> Fatal {
        let mut end = self.cursor.clone();
        end.skip();
        let span = self.cursor.span(self.cursor.mark(), end.mark());
        Box::new(Diagnostic::error(codes::SYNTAX, span, message).help(help))
    }

    // Between tokens

    /// Passes spaces, line breaks and comments.
    fn skip_to_token(&mut self) {
        if self.cursor.mark().byte == 0 && self.cursor.peek() == '\u{feff}' {
            self.cursor.skip();
        }
        loop {
            self.cursor.skip_spaces();
            // libyaml: a tab separates where no indentation can begin.
            if self.cursor.peek() == '\t' {
                if self.flow_level > 0 || !self.key_allowed {
                    self.skip_tabs();
                } else if let Some(tabs) = self.skip_tabs_of_empty_line() {
                    self.note(*tab_indents(tabs));
                }
            }
            if self.cursor.peek() == '#' {
                self.cursor.skip_line();
            }
            if self.cursor.skip_break().is_none() {
                break;
            }
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn skip_tabs(&mut self) {
        let start = self.cursor.mark();
        self.cursor.skip_blanks();
        // At the end of a line nobody sees it and nothing depends on it.
        if !is_break_or_end(self.cursor.peek()) && self.cursor.peek() != '#' {
            let message = "a tab between words, which some YAML readers refuse";
            let diagnostic = Diagnostic::warning(codes::TAB, self.cursor.span_from(start), message);
            self.note(diagnostic.help("use spaces"));
        }
    }

    /// Passes the tabs of a line that holds nothing else but a comment; stays where it is otherwise.
    fn skip_tabs_of_empty_line(&mut self) -> Option<Span> {
        let start = self.cursor.mark();
        if self.cursor.peek() != '\t' {
            return None;
        }
        self.cursor.skip_blanks();
        if is_break_or_end(self.cursor.peek()) || self.cursor.peek() == '#' {
            return Some(self.cursor.span_from(start));
        }
        self.cursor.reset(start);
        None
    }
}

fn tab_indents(span: Span) -> Fatal {
    let message = "a tab where a line is indented";
    Box::new(
        Diagnostic::error(codes::SYNTAX, span, message).help("indent with spaces: YAML allows no tabs there"),
    )
}

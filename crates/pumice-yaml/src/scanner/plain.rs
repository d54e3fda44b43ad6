//! Texts without quotes.

use std::borrow::Cow;

use pumice_types::Diagnostic;

use super::{Fatal, Scanner};
use crate::{
    codes,
    cursor::{END, is_blank_or_end, is_break},
    token::{Kind, Token},
};

impl Scanner<'_> {
    pub(super) fn fetch_plain(&mut self) -> Result<(), Fatal> {
        self.key_may_begin()?;
        self.key_allowed = false;
        self.refuse_reserved();
        let start = self.cursor.mark();
        let mut end = start;
        let mut text = Cow::Borrowed("");
        // What stood between the last word and here, when it is not the text itself.
        let mut gap: Option<String> = None;
        loop {
            if self.cursor.peek() == '#' && end != start {
                break;
            }
            let length = self.plain_length(self.cursor.mark() == start);
            if length == 0 {
                break;
            }
            self.key_allowed = false;
            let word = &self.cursor.rest()[..length];
            self.cursor.skip_bytes(length);
            match gap.take() {
                Some(gap) => {
                    let joined = text.to_mut();
                    joined.push_str(&gap);
                    joined.push_str(word);
                }
                None => text = Cow::Borrowed(self.cursor.text_from(start)),
            }
            end = self.cursor.mark();
            match self.skip_gap() {
                Gap::None => break,
                Gap::Blanks => {
                    if let Cow::Owned(_) = text {
                        gap = Some(self.cursor.text_from(end).to_owned());
                    }
                }
                Gap::Break(folded) => {
                    gap = Some(folded);
                    let column = isize::try_from(self.cursor.column()).unwrap_or(isize::MAX);
                    if self.flow_level == 0 && column <= self.indent {
                        break;
                    }
                }
            }
            if self.cursor.peek() == '#' {
                break;
            }
        }
        let span = self.cursor.span(start, end);
        self.tokens.push_back(Token { kind: Kind::Scalar { text, plain: true }, span });
        Ok(())
    }

    /// `@`, `` ` `` and `%` may not begin a text, nor may `|` and `>` in brackets. What is meant is clear, so it is read all the same.
    fn refuse_reserved(&mut self) {
        let first = self.cursor.peek();
        if matches!(first, '@' | '`' | '%' | '|' | '>') {
            let start = self.cursor.mark();
            let mut end = self.cursor.clone();
            end.skip();
            let span = self.cursor.span(start, end.mark());
            let message = format!("a text cannot begin with `{first}`");
            self.note(Diagnostic::error(codes::SYNTAX, span, message).help("put the text in quotes"));
        }
    }

    /// How many bytes of a word stand here.
    fn plain_length(&self, first: bool) -> usize {
        let rest = self.cursor.rest();
        let in_flow = self.flow_level > 0;
        let mut characters = rest.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let next = characters.peek().map_or(END, |(_, next)| *next);
            let ends = is_blank_or_end(character)
                || (character == ':'
                    && (is_blank_or_end(next) || in_flow && matches!(next, ',' | '[' | ']' | '{' | '}')))
                || (in_flow && matches!(character, ',' | '[' | ']' | '{' | '}'));
            if ends && !(first && at == 0) {
                return at;
            }
        }
        rest.len()
    }

    /// Passes what may stand between two words of one text.
    fn skip_gap(&mut self) -> Gap {
        let start = self.cursor.mark();
        self.cursor.skip_spaces();
        // libyaml: tabs too, when a word follows on the same line.
        if self.cursor.peek() == '\t' {
            self.cursor.skip_blanks();
            if self.cursor.peek() == END || self.cursor.peek() == '#' {
                return Gap::None;
            }
        }
        if !is_break(self.cursor.peek()) {
            return if self.cursor.mark() == start { Gap::None } else { Gap::Blanks };
        }
        let first = self.cursor.skip_break().unwrap_or('\n');
        self.key_allowed = true;
        let mut folded = String::new();
        let mut breaks = String::new();
        loop {
            if self.cursor.at_document_marker("---") || self.cursor.at_document_marker("...") {
                return Gap::None;
            }
            self.cursor.skip_spaces();
            // libyaml: right of the indentation a line of blanks may hold tabs.
            if isize::try_from(self.cursor.column()).is_ok_and(|column| column > self.indent) {
                self.skip_tabs_of_empty_line();
            }
            match self.cursor.skip_break() {
                Some(more) => breaks.push(more),
                None => break,
            }
        }
        if first != '\n' {
            folded.push(first);
        } else if breaks.is_empty() {
            folded.push(' ');
        }
        folded.push_str(&breaks);
        Gap::Break(folded)
    }
}

/// What stands between two words.
#[derive(Debug)]
enum Gap {
    /// Nothing: the text ends.
    None,
    /// Spaces, which belong to the text.
    Blanks,
    /// Line breaks, folded.
    Break(String),
}

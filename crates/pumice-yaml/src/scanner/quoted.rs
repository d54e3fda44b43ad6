//! Texts in quotes.

use std::borrow::Cow;

use pumice_types::Diagnostic;

use super::{Fatal, Scanner};
use crate::{
    codes,
    cursor::{END, Mark, is_break},
    token::Kind,
};

impl<'t> Scanner<'t> {
    pub(super) fn fetch_quoted(&mut self, quote: char) -> Result<(), Fatal> {
        self.key_may_begin()?;
        self.key_allowed = false;
        let start = self.cursor.mark();
        self.cursor.skip();
        let text = match self.simple_quoted(quote) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.quoted(quote, start)?),
        };
        self.cursor.skip();
        self.push(Kind::Scalar { text, plain: false }, start);
        Ok(())
    }

    /// The text up to the closing quote, when it is all on one line and has nothing to be replaced.
    fn simple_quoted(&mut self, quote: char) -> Option<&'t str> {
        let rest = self.cursor.rest();
        let length = rest.find(|c| c == quote || c == '\\' && quote == '"' || is_break(c))?;
        let simple =
            rest[length..].starts_with(quote) && !(quote == '\'' && rest[length..].starts_with("''"));
        if simple {
            self.cursor.skip_bytes(length);
        }
        simple.then(|| &rest[..length])
    }

    /// The text up to the closing quote, unescaped and folded.
    fn quoted(&mut self, quote: char, start: Mark) -> Result<String, Fatal> {
        let mut text = String::new();
        loop {
            let rest = self.cursor.rest();
            let length = rest
                .find(|c| matches!(c, ' ' | '\t' | '\\' | '\'' | '"') || is_break(c))
                .unwrap_or(rest.len());
            text.push_str(&rest[..length]);
            self.cursor.skip_bytes(length);
            match self.cursor.peek() {
                END => return Err(self.unclosed(start, "the quote is never closed")),
                '\'' if quote == '\'' && self.cursor.peek_at(1) == '\'' => {
                    text.push('\'');
                    self.cursor.skip_bytes(2);
                }
                character if character == quote => return Ok(text),
                '\\' if quote == '"' => self.escape(&mut text, start)?,
                character @ ('\'' | '"' | '\\') => {
                    text.push(character);
                    self.cursor.skip();
                }
                _ => self.quoted_gap(&mut text, start)?,
            }
        }
    }

    /// Blanks and line breaks within quotes.
    fn quoted_gap(&mut self, text: &mut String, start: Mark) -> Result<(), Fatal> {
        let from = self.cursor.mark();
        self.cursor.skip_blanks();
        let blanks = self.cursor.text_from(from);
        let Some(first) = self.cursor.skip_break() else {
            text.push_str(blanks);
            return Ok(());
        };
        let breaks = self.quoted_breaks(start)?;
        if first != '\n' {
            text.push(first);
        } else if breaks.is_empty() {
            text.push(' ');
        }
        text.push_str(&breaks);
        Ok(())
    }

    /// Empty lines within quotes, and the blanks before the next word.
    fn quoted_breaks(&mut self, start: Mark) -> Result<String, Fatal> {
        let mut breaks = String::new();
        loop {
            if self.cursor.at_document_marker("---") || self.cursor.at_document_marker("...") {
                return Err(self.unclosed(start, "the quote is not closed before the document ends"));
            }
            self.cursor.skip_blanks();
            match self.cursor.skip_break() {
                Some(more) => breaks.push(more),
                None => return Ok(breaks),
            }
        }
    }

    fn unclosed(&self, start: Mark, message: &str) -> Fatal {
        let end = Mark { byte: start.byte + 1, ..start };
        let span = self.cursor.span(start, end);
        Box::new(
            Diagnostic::error(codes::SYNTAX, span, message)
                .label("opened here")
                .help("close it; inside `'` write `''` for one, inside `\"` write `\\\"`"),
        )
    }

    /// A backslash within double quotes and what it stands for.
    fn escape(&mut self, text: &mut String, start: Mark) -> Result<(), Fatal> {
        let from = self.cursor.mark();
        self.cursor.skip();
        let character = self.cursor.peek();
        let digits = match character {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ if is_break(character) => {
                self.cursor.skip_break();
                let breaks = self.quoted_breaks(start)?;
                text.push_str(&breaks);
                return Ok(());
            }
            END => return Err(self.unclosed(start, "the quote is never closed")),
            _ => 0,
        };
        self.cursor.skip();
        if digits == 0 {
            match replacement(character) {
                Some(replacement) => text.push(replacement),
                None => self.unknown_escape(text, from),
            }
            return Ok(());
        }
        let rest = self.cursor.rest();
        let code = rest
            .get(..digits)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32);
        match code {
            Some(code) => {
                self.cursor.skip_bytes(digits);
                text.push(code);
            }
            None => self.unknown_escape(text, from),
        }
        Ok(())
    }

    /// Most often a regular expression in double quotes. It is read as it stands.
    fn unknown_escape(&mut self, text: &mut String, from: Mark) {
        let written = self.cursor.text_from(from);
        text.push_str(written);
        let message = format!("`{written}` is not an escape sequence of double quotes");
        let diagnostic = Diagnostic::error(codes::SYNTAX, self.cursor.span_from(from), message);
        self.note(diagnostic.help("use single quotes, in which a backslash is a backslash, or write `\\\\`"));
    }
}

/// What a character behind a backslash stands for (YAML 1.1, 5.6; `\/` is of 1.2 and PyYAML knows it).
fn replacement(character: char) -> Option<char> {
    Some(match character {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        ' ' | '"' | '\\' | '/' => character,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return None,
    })
}

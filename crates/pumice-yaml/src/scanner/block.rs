//! Texts that are set off by indentation: `|` keeps lines, `>` folds them.

use std::borrow::Cow;

use pumice_types::Diagnostic;

use super::{Fatal, Scanner};
use crate::{
    codes,
    cursor::{END, Mark, is_break, is_break_or_end},
    token::{Kind, Token},
};

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    /// One is kept.
    Clip,
    /// `-`: none.
    Strip,
    /// `+`: all.
    Keep,
}

impl Scanner<'_> {
    pub(super) fn fetch_block_scalar(&mut self) -> Result<(), Fatal> {
        self.key_allowed = true;
        self.drop_key(self.flow_level)?;
        let start = self.cursor.mark();
        let folded = self.cursor.peek() == '>';
        self.cursor.skip();
        let (chomping, increment) = self.block_header(start)?;
        let mut end = self.cursor.mark();
        self.cursor.skip_break();
        let least = usize::try_from(self.indent + 1).unwrap_or(0).max(1);
        let (mut breaks, indent) = match increment {
            None => {
                let (breaks, widest) = self.block_indentation();
                (breaks, least.max(widest))
            }
            Some(increment) => {
                let indent = least + increment - 1;
                (self.block_breaks(indent), indent)
            }
        };
        let mut text = String::new();
        let mut line_break = None;
        while self.cursor.column() == indent && self.cursor.peek() != END {
            text.push_str(&breaks);
            let leads_with_blank = matches!(self.cursor.peek(), ' ' | '\t');
            text.push_str(self.cursor.skip_line());
            end = self.cursor.mark();
            line_break = self.cursor.skip_break();
            breaks = self.block_breaks(indent);
            if self.cursor.column() != indent || self.cursor.peek() == END {
                break;
            }
            let folds = folded
                && line_break == Some('\n')
                && !leads_with_blank
                && !matches!(self.cursor.peek(), ' ' | '\t');
            if !folds {
                text.extend(line_break);
            } else if breaks.is_empty() {
                text.push(' ');
            }
        }
        if chomping != Chomping::Strip {
            text.extend(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&breaks);
        }
        let span = self.cursor.span(start, end);
        self.tokens.push_back(Token { kind: Kind::Scalar { text: Cow::Owned(text), plain: false }, span });
        Ok(())
    }

    /// `+`, `-` and a digit in any order, then nothing but a comment.
    fn block_header(&mut self, start: Mark) -> Result<(Chomping, Option<usize>), Fatal> {
        let mut chomping = None;
        let mut increment = None;
        loop {
            match self.cursor.peek() {
                '+' if chomping.is_none() => chomping = Some(Chomping::Keep),
                '-' if chomping.is_none() => chomping = Some(Chomping::Strip),
                digit @ '1'..='9' if increment.is_none() => {
                    increment = digit.to_digit(10).map(|digit| digit as usize);
                }
                _ => break,
            }
            self.cursor.skip();
        }
        let header_ends = matches!(self.cursor.peek(), ' ' | '\t') || is_break_or_end(self.cursor.peek());
        self.cursor.skip_blanks();
        if header_ends && self.cursor.peek() == '#' {
            self.cursor.skip_line();
        }
        if header_ends && is_break_or_end(self.cursor.peek()) {
            return Ok((chomping.unwrap_or(Chomping::Clip), increment));
        }
        self.cursor.skip_line();
        let message = "the text begins on the next line, and here only `+`, `-` or a digit may stand";
        Err(Box::new(
            Diagnostic::error(codes::SYNTAX, self.cursor.span_from(start), message)
                .help("move the text to the next line and indent it, or put it in quotes"),
        ))
    }

    /// Passes empty lines before the text; returns them and the widest indentation met.
    fn block_indentation(&mut self) -> (String, usize) {
        let mut breaks = String::new();
        let mut widest = 0;
        loop {
            self.cursor.skip_spaces();
            widest = widest.max(self.cursor.column());
            match self.cursor.skip_break() {
                Some(more) => breaks.push(more),
                None => return (breaks, widest),
            }
        }
    }

    /// Passes empty lines, and the indentation of the next line as far as `indent`.
    fn block_breaks(&mut self, indent: usize) -> String {
        let mut breaks = String::new();
        loop {
            while self.cursor.column() < indent && self.cursor.peek() == ' ' {
                self.cursor.skip();
            }
            if !is_break(self.cursor.peek()) {
                return breaks;
            }
            breaks.extend(self.cursor.skip_break());
        }
    }
}

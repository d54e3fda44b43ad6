//! Anchors, aliases, tags and directives.

use std::borrow::Cow;

use pumice_types::Diagnostic;

use super::{Fatal, Scanner};
use crate::{
    codes,
    cursor::{END, Mark, is_blank_or_end, is_break_or_end},
    token::Kind,
};

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

fn is_uri(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-;/?:@&=+$,_.!~*'()[]%".contains(character)
}

impl<'t> Scanner<'t> {
    /// `&name` or `*name`.
    pub(super) fn fetch_anchor(&mut self) -> Result<(), Fatal> {
        self.key_may_begin()?;
        self.key_allowed = false;
        let start = self.cursor.mark();
        let is_alias = self.cursor.peek() == '*';
        self.cursor.skip();
        let name = self.word();
        let next = self.cursor.peek();
        if name.is_empty() || !(is_blank_or_end(next) || "?:,]}%@`".contains(next)) {
            let what = if is_alias { "`*` begins an alias" } else { "`&` begins an anchor" };
            return Err(
                self.bad_property(start, format!("{what}, and no name of letters and digits follows"))
            );
        }
        self.push(if is_alias { Kind::Alias(name) } else { Kind::Anchor(name) }, start);
        Ok(())
    }

    /// `!name`, `!!name`, `!handle!name`, `!<uri>` or `!`.
    pub(super) fn fetch_tag(&mut self) -> Result<(), Fatal> {
        self.key_may_begin()?;
        self.key_allowed = false;
        let start = self.cursor.mark();
        let (handle, suffix) = match self.cursor.peek_at(1) {
            '<' => {
                self.cursor.skip_bytes(2);
                let uri = self.uri(start)?;
                if self.cursor.peek() != '>' {
                    return Err(self.bad_property(start, "`!<` begins a tag that ends in `>`"));
                }
                self.cursor.skip();
                (None, uri)
            }
            next if is_blank_or_end(next) => {
                self.cursor.skip();
                (None, Cow::Borrowed("!"))
            }
            _ => {
                let rest = &self.cursor.rest()[1..];
                let word = rest.split(|c| c == ' ' || is_break_or_end(c)).next().unwrap_or_default();
                let handle = if word.contains('!') { self.tag_handle(start)? } else { self.skip_bang() };
                (Some(handle), self.uri(start)?)
            }
        };
        if self.cursor.peek() != ' ' && !is_break_or_end(self.cursor.peek()) {
            return Err(self.bad_property(start, "`!` begins a tag, and this is not the name of one"));
        }
        self.push(Kind::Tag(handle, suffix), start);
        Ok(())
    }

    fn skip_bang(&mut self) -> &'t str {
        let start = self.cursor.mark();
        self.cursor.skip();
        self.cursor.text_from(start)
    }

    /// `!`, `!!` or `!word!`.
    fn tag_handle(&mut self, start: Mark) -> Result<&'t str, Fatal> {
        let from = self.cursor.mark();
        if self.cursor.peek() != '!' {
            return Err(self.bad_property(start, "a tag handle begins with `!`"));
        }
        self.cursor.skip();
        if self.cursor.peek() != ' ' {
            self.word();
            if self.cursor.peek() != '!' {
                return Err(self.bad_property(start, "a tag handle ends with `!`"));
            }
            self.cursor.skip();
        }
        Ok(self.cursor.text_from(from))
    }

    fn word(&mut self) -> &'t str {
        let start = self.cursor.mark();
        let rest = self.cursor.rest();
        self.cursor.skip_bytes(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        self.cursor.text_from(start)
    }

    /// A URI with its `%xx` replaced.
    fn uri(&mut self, start: Mark) -> Result<Cow<'t, str>, Fatal> {
        let rest = self.cursor.rest();
        let length = rest.find(|c| !is_uri(c)).unwrap_or(rest.len());
        let uri = &rest[..length];
        self.cursor.skip_bytes(length);
        if uri.is_empty() {
            return Err(self.bad_property(start, "`!` begins a tag, and this is not the name of one"));
        }
        if !uri.contains('%') {
            return Ok(Cow::Borrowed(uri));
        }
        let decoded = percent_decoded(uri);
        decoded
            .map(Cow::Owned)
            .ok_or_else(|| self.bad_property(start, "the `%` in this tag are not followed by UTF-8"))
    }

    fn bad_property(&self, start: Mark, message: impl Into<String>) -> Fatal {
        let mut cursor = self.cursor.clone();
        if cursor.mark() == start {
            cursor.skip();
        }
        Box::new(
            Diagnostic::error(codes::SYNTAX, cursor.span_from(start), message)
                .help("put the text in quotes if it is one"),
        )
    }

    /// A line that begins with `%`.
    pub(super) fn fetch_directive(&mut self) -> Result<(), Fatal> {
        self.begin_of_document_part()?;
        let start = self.cursor.mark();
        self.cursor.skip();
        let name = self.word();
        let bad = |scanner: &Self, message: &str| {
            let mut cursor = scanner.cursor.clone();
            cursor.skip_line();
            let span = cursor.span_from(start);
            Box::new(Diagnostic::error(codes::SYNTAX, span, message).help("quote the text if it is none"))
        };
        if name.is_empty() || !matches!(self.cursor.peek(), ' ' | END) && !is_break_or_end(self.cursor.peek())
        {
            return Err(bad(
                self,
                "a line that begins with `%` is a directive, and this is not the name of one",
            ));
        }
        let kind = match name {
            "YAML" => {
                self.cursor.skip_spaces();
                let from = self.cursor.mark();
                while self.cursor.peek().is_ascii_digit() || self.cursor.peek() == '.' {
                    self.cursor.skip();
                }
                let version = self.cursor.text_from(from).split_once('.');
                let version = version
                    .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse::<u32>().ok()?)));
                let Some((major, _)) = version else {
                    return Err(bad(self, "the version is not one, such as `1.1`"));
                };
                Kind::Version(major)
            }
            "TAG" => {
                self.cursor.skip_spaces();
                let handle = self.tag_handle(start)?;
                if self.cursor.skip_spaces() == 0 {
                    return Err(bad(self, "the directive is `%TAG !handle! prefix`"));
                }
                Kind::TagPrefix(handle, self.uri(start)?.into_owned())
            }
            _ => {
                self.cursor.skip_line();
                Kind::Reserved
            }
        };
        self.push(kind, start);
        self.cursor.skip_spaces();
        if self.cursor.peek() == '#' {
            self.cursor.skip_line();
        }
        if !is_break_or_end(self.cursor.peek()) {
            return Err(bad(self, "the directive is followed by something else"));
        }
        Ok(())
    }
}

/// The text that the `%xx` of `uri` stand for. Strict, unlike addresses: a `%` that two hexadecimal digits do not follow and
/// bytes that are not UTF-8 are mistakes in a tag (PyYAML, `scan_uri_escapes`).
fn percent_decoded(uri: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let code = std::str::from_utf8(after.get(..2)?).ok().filter(|code| !code.starts_with('+'))?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

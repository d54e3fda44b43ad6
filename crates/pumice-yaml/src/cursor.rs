//! A place in the text that moves forward.

use pumice_types::{SourceId, Span};

/// What stands behind the end of the text. No text holds one: see [`first_unprintable`].
pub(crate) const END: char = '\0';

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Offset in bytes.
    pub(crate) byte: usize,
    /// Offset in characters.
    pub(crate) character: usize,
    /// Line, from 0.
    pub(crate) line: usize,
    /// Column in characters, from 0.
    pub(crate) column: usize,
}

/// The text and the place in it.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    source: SourceId,
    mark: Mark,
}

/// Whether a character ends a line in YAML 1.1.
pub(crate) fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a character ends a line, or is the end.
pub(crate) fn is_break_or_end(character: char) -> bool {
    character == END || is_break(character)
}

/// Whether a character ends a word: a space, a tab, the end of the line.
pub(crate) fn is_blank_or_end(character: char) -> bool {
    matches!(character, ' ' | '\t') || is_break_or_end(character)
}

/// The place of the first character that YAML 1.1 does not allow (PyYAML's `Reader.NON_PRINTABLE`).
pub(crate) fn first_unprintable(text: &str) -> Option<(usize, char)> {
    // Nearly every text is printable ASCII; that is seen byte by byte.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')) {
        return None;
    }
    text.char_indices().find(|(_, character)| {
        !matches!(character, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
    })
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str, source: SourceId) -> Self {
        Self { text, source, mark: Mark::default() }
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Goes back to a place it was at.
    pub(crate) fn reset(&mut self, mark: Mark) {
        self.mark = mark;
    }

    pub(crate) fn column(&self) -> usize {
        self.mark.column
    }

    /// The bytes from `start` to here.
    pub(crate) fn span_from(&self, start: Mark) -> Span {
        Span::new(self.source, start.byte, self.mark.byte)
    }

    /// The bytes between two places.
    pub(crate) fn span(&self, start: Mark, end: Mark) -> Span {
        Span::new(self.source, start.byte, end.byte)
    }

    /// The text from here on.
    pub(crate) fn rest(&self) -> &'t str {
        &self.text[self.mark.byte..]
    }

    /// The text from `start` to here.
    pub(crate) fn text_from(&self, start: Mark) -> &'t str {
        &self.text[start.byte..self.mark.byte]
    }

    /// The character here.
    pub(crate) fn peek(&self) -> char {
        match self.text.as_bytes().get(self.mark.byte) {
            Some(byte) if byte.is_ascii() => char::from(*byte),
            Some(_) => self.rest().chars().next().unwrap_or(END),
            None => END,
        }
    }

    /// The character `offset` characters further.
    pub(crate) fn peek_at(&self, offset: usize) -> char {
        self.rest().chars().nth(offset).unwrap_or(END)
    }

    /// Passes one character, which is not a line break.
    pub(crate) fn skip(&mut self) {
        let character = self.peek();
        if self.mark.byte < self.text.len() {
            self.mark.byte += character.len_utf8();
            self.mark.character += 1;
            // A byte order mark takes no column (PyYAML's `Reader.forward`).
            self.mark.column += usize::from(character != '\u{feff}');
        }
    }

    /// Passes `bytes` bytes that hold no line break.
    pub(crate) fn skip_bytes(&mut self, bytes: usize) {
        let passed = &self.rest()[..bytes];
        let characters = if passed.is_ascii() { bytes } else { passed.chars().count() };
        let marks = if characters == bytes { 0 } else { passed.matches('\u{feff}').count() };
        self.mark.byte += bytes;
        self.mark.character += characters;
        self.mark.column += characters - marks;
    }

    /// Passes spaces and says how many.
    pub(crate) fn skip_spaces(&mut self) -> usize {
        let count = self.rest().bytes().take_while(|byte| *byte == b' ').count();
        self.mark.byte += count;
        self.mark.character += count;
        self.mark.column += count;
        count
    }

    /// Passes spaces and tabs.
    pub(crate) fn skip_blanks(&mut self) {
        let count = self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.skip_bytes(count);
    }

    /// Passes everything up to the end of the line and returns it.
    pub(crate) fn skip_line(&mut self) -> &'t str {
        let rest = self.rest();
        let length = rest.find(is_break).unwrap_or(rest.len());
        self.skip_bytes(length);
        &rest[..length]
    }

    /// Passes a line break and returns what it is taken for; `None` when there is none.
    pub(crate) fn skip_break(&mut self) -> Option<char> {
        let character = self.peek();
        if !is_break(character) {
            return None;
        }
        let bytes = if self.rest().starts_with("\r\n") { 2 } else { character.len_utf8() };
        self.mark.byte += bytes;
        self.mark.character += if bytes == 2 && character == '\r' { 2 } else { 1 };
        self.mark.line += 1;
        self.mark.column = 0;
        Some(if matches!(character, '\u{2028}' | '\u{2029}') { character } else { '\n' })
    }

    /// Whether `---` or `...` stands alone at the begin of this line.
    pub(crate) fn at_document_marker(&self, marker: &str) -> bool {
        self.mark.column == 0 && self.rest().starts_with(marker) && is_blank_or_end(self.peek_at(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_as_yaml_says() {
        let mut cursor = Cursor::new("é\u{feff}x\r\ny\u{2028}z", SourceId(0));
        cursor.skip_bytes("é\u{feff}x".len());
        assert_eq!((cursor.column(), cursor.mark().character), (2, 3));
        assert_eq!(cursor.skip_break(), Some('\n'));
        assert_eq!(cursor.skip_line(), "y");
        assert_eq!(cursor.skip_break(), Some('\u{2028}'));
        assert_eq!((cursor.peek(), cursor.mark().line, cursor.column()), ('z', 2, 0));
        cursor.skip();
        cursor.skip();
        assert_eq!((cursor.peek(), cursor.mark().byte), (END, 13));
    }

    #[test]
    fn control_characters_are_found() {
        assert_eq!(first_unprintable("a\tb\u{85}é😀\n"), None);
        assert_eq!(first_unprintable("é\u{7}"), Some((2, '\u{7}')));
        assert_eq!(first_unprintable("a\0"), Some((1, '\0')));
        assert_eq!(first_unprintable("\u{fffe}"), Some((0, '\u{fffe}')));
    }
}

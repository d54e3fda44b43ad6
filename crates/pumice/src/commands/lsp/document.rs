//! An open text, and the places in it as an editor counts them.

use pumice_types::{Diagnostics, SourceId, Span};
use pumice_yaml::Node;
use serde_json::{Value, json};

/// In what an editor counts the columns of a line (LSP 3.17, `PositionEncodingKind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// Code units of UTF-16: what every client can.
    #[default]
    Utf16,
}

impl Encoding {
    /// Bytes where the client can, since that is how we count.
    pub(super) fn agreed(parameters: &Value) -> Self {
        let offered = &parameters["capabilities"]["general"]["positionEncodings"];
        let has_utf8 = offered.as_array().is_some_and(|all| all.iter().any(|one| one == "utf-8"));
        if has_utf8 { Self::Utf8 } else { Self::Utf16 }
    }

    /// Its name in the protocol.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
        }
    }

    fn width(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }
}

/// A text and what the engine says of it.
#[derive(Debug)]
pub(super) struct Document {
    /// The text.
    pub(super) text: String,
    /// Its tree, as far as it can be read; null when it cannot.
    pub(super) node: Node,
    /// Every mistake.
    pub(super) found: Diagnostics,
    encoding: Encoding,
}

impl Document {
    /// Reads a text.
    pub(super) fn new(text: &str, encoding: Encoding) -> Self {
        let source = SourceId(0);
        let (node, _) = pumice_yaml::parse_within(text, source, pumice_job::LIMITS);
        let (job, found) = pumice_job::parse(text, source);
        let found = match job {
            Some(job) => pumice_job::for_planning(&job, found),
            None => found,
        };
        Self { text: text.to_owned(), node: node.unwrap_or_default(), found, encoding }
    }

    /// The byte that a position of the protocol names; one behind the end of a line is its end.
    pub(super) fn offset(&self, position: &Value) -> Option<usize> {
        let line = usize::try_from(position.get("line")?.as_u64()?).ok()?;
        let character = usize::try_from(position.get("character")?.as_u64()?).ok()?;
        let start: usize = self.text.split_inclusive('\n').take(line).map(str::len).sum();
        let shown = self.text[start..].lines().next().unwrap_or_default();
        let before = shown
            .char_indices()
            .find(|(at, _)| self.encoding.width(&shown[..*at]) >= character)
            .map_or(shown.len(), |(at, _)| at);
        Some(start + before)
    }

    /// The position of a byte.
    fn position(&self, at: usize) -> Value {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        json!({ "line": line, "character": self.encoding.width(&before[start..]) })
    }

    /// The range of a span.
    pub(super) fn range(&self, span: Span) -> Value {
        json!({ "start": self.position(span.start), "end": self.position(span.end) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_in_the_agreed_units_and_back() {
        // `𝄞` is four bytes of UTF-8 and two units of UTF-16.
        let text = "a: 1\n𝄞é: 2\n";
        let check = |encoding, offset, line, character| {
            let document = Document::new(text, encoding);
            let position = json!({ "line": line, "character": character });
            assert_eq!(document.position(offset), position);
            assert_eq!(document.offset(&position), Some(offset));
        };
        check(Encoding::Utf16, 5, 1, 0);
        check(Encoding::Utf16, 9, 1, 2);
        check(Encoding::Utf16, 11, 1, 3);
        check(Encoding::Utf8, 11, 1, 6);
    }

    #[test]
    fn a_position_outside_the_text_is_its_nearest_end() {
        let document = Document::new("ab\nc", Encoding::Utf16);
        let at =
            |line: u64, character: u64| document.offset(&json!({ "line": line, "character": character }));
        assert_eq!([at(0, 99), at(9, 0), at(1, 1)], [Some(2), Some(4), Some(4)]);
        assert_eq!(document.offset(&json!({ "line": -1, "character": 0 })), None);
    }
}

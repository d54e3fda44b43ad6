//! An open text, and the places in it as an editor counts them.

use std::path::Path;

use pumice_job::Root;
use pumice_types::{Code, Diagnostic, Diagnostics, JobId, Related, SourceId, Sources, Span};
use pumice_yaml::Node;
use serde_json::{Value, json};

use crate::{cli::DeviceArgs, input::Input, kind::Kind};

/// What is said of a job that names no device of ours: an editor does not know which lab it is for.
const NO_DEVICE: Code = Code("no-device");

/// The text that an [`Input`] read first: the file itself.
const OWN: SourceId = SourceId(0);

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
    /// What it is.
    pub(super) kind: Kind,
    /// Every mistake.
    pub(super) found: Diagnostics,
    encoding: Encoding,
}

impl Document {
    /// Reads a text; `path` says where it is, as far as the editor's URI does.
    pub(super) fn new(path: &Path, text: &str, encoding: Encoding) -> Self {
        let is_dictionary = path.extension().is_some_and(|extension| extension == "jinja2");
        let tree = if is_dictionary {
            Node::default()
        } else {
            pumice_yaml::parse_within(text, OWN, pumice_job::LIMITS).0.unwrap_or_default()
        };
        let kind = if is_dictionary { Kind::Device } else { Kind::of(&tree) };
        // Device types beside the file count, as in a lab's own repository.
        let beside = path.parent().filter(|parent| parent.is_absolute()).map(Path::to_owned);
        let args = DeviceArgs { device_types: beside.into_iter().collect(), ..DeviceArgs::default() };
        let name = path.display().to_string();
        let input = match kind {
            Kind::Job => Input::of_text(&name, text, &args, JobId(1), &pumice_platforms::all()),
            Kind::TestDefinition => Input::of_test_definition(&name, text),
            Kind::Device => Input::of_device(path, text, &args),
        };
        let found = input.diagnostics.into_iter().filter(|one| one.code != NO_DEVICE);
        let found = found.map(|one| in_own_text(one, &input.sources)).collect();
        Self { text: text.to_owned(), node: tree, kind, found, encoding }
    }

    /// Which language its words are of, where words can be explained and offered.
    pub(super) fn root(&self) -> Option<Root> {
        match self.kind {
            Kind::Job => Some(Root::Job),
            Kind::TestDefinition => Some(Root::TestDefinition),
            Kind::Device => None,
        }
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

/// An editor shows one text. A mistake in another, such as what a template renders to, is told where this text caused it,
/// else at its start.
fn in_own_text(mut one: Diagnostic, sources: &Sources) -> Diagnostic {
    let is_own = |span: &Span| span.source == OWN;
    let (own, other): (Vec<Related>, Vec<Related>) =
        one.related.into_iter().partition(|related| is_own(&related.span));
    one.related = own;
    for related in other {
        let place = place(related.span, sources);
        one.help = Some(format!(
            "{}{place}: {}",
            one.help.map(|help| help + "\n").unwrap_or_default(),
            related.label
        ));
    }
    if let Some(span) = one.span.filter(|span| !is_own(span)) {
        one.message = format!("{} ({})", one.message, place(span, sources));
        one.span = one.related.first().map(|related| related.span);
    }
    one.suggestion = one.suggestion.filter(|suggestion| is_own(&suggestion.span));
    one
}

/// `base.jinja2 line 7`.
fn place(span: Span, sources: &Sources) -> String {
    let name = sources.get(span.source).map_or("another text", |source| source.name.as_str());
    let line = sources.position(span).map_or(1, |position| position.line);
    format!("{name} line {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_in_the_agreed_units_and_back() {
        // `𝄞` is four bytes of UTF-8 and two units of UTF-16.
        let text = "a: 1\n𝄞é: 2\n";
        let check = |encoding, offset, line, character| {
            let document = Document::new(Path::new("job.yaml"), text, encoding);
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
        let document = Document::new(Path::new("job.yaml"), "ab\nc", Encoding::Utf16);
        let at =
            |line: u64, character: u64| document.offset(&json!({ "line": line, "character": character }));
        assert_eq!([at(0, 99), at(9, 0), at(1, 1)], [Some(2), Some(4), Some(4)]);
        assert_eq!(document.offset(&json!({ "line": -1, "character": 0 })), None);
    }
}

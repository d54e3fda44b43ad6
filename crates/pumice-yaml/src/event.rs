//! What the parser says of a text, one piece at a time.

use std::borrow::Cow;

use pumice_types::{SourceId, Span};
use saphyr_parser::{Event as Theirs, Marker, Parser, ScalarStyle, StrInput};

/// One piece of a document.
#[derive(Debug)]
pub(crate) enum Event<'t> {
    Alias(usize),
    Scalar {
        text: Cow<'t, str>,
        plain: bool,
        tag: Option<String>,
        anchor: usize,
    },
    SequenceStart {
        tag: Option<String>,
        anchor: usize,
    },
    MappingStart {
        tag: Option<String>,
        anchor: usize,
    },
    /// The end of a list or mapping. The span is empty when no bracket closed it.
    End,
    DocumentStart,
    DocumentEnd,
    StreamEnd,
}

/// The events of a text.
pub(crate) struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    source: SourceId,
    /// Byte offset of every character, when they differ.
    offsets: Option<Vec<usize>>,
    length: usize,
}

impl<'t> Events<'t> {
    pub(crate) fn new(text: &'t str, source: SourceId) -> Self {
        let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { parser: Parser::new_from_str(text), source, offsets, length: text.len() }
    }

    fn byte(&self, marker: Marker) -> usize {
        match &self.offsets {
            Some(offsets) => offsets.get(marker.index()).copied().unwrap_or(self.length),
            None => marker.index().min(self.length),
        }
    }

    /// The next event and its place; the message and place of what is not YAML.
    pub(crate) fn next(&mut self) -> Result<(Event<'t>, Span), (String, Span)> {
        loop {
            let (event, span) = match self.parser.next_event() {
                None => return Ok((Event::StreamEnd, Span::new(self.source, self.length, self.length))),
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    let at = self.byte(*error.marker());
                    return Err((error.info().to_owned(), Span::new(self.source, at, at)));
                }
            };
            let span = Span::new(self.source, self.byte(span.start), self.byte(span.end));
            let event = match event {
                Theirs::Nothing | Theirs::StreamStart => continue,
                Theirs::StreamEnd => Event::StreamEnd,
                Theirs::DocumentStart(_) => Event::DocumentStart,
                Theirs::DocumentEnd => Event::DocumentEnd,
                Theirs::Alias(id) => Event::Alias(id),
                Theirs::Scalar(text, style, anchor, tag) => {
                    Event::Scalar { text, plain: style == ScalarStyle::Plain, tag: full(tag), anchor }
                }
                Theirs::SequenceStart(anchor, tag) => Event::SequenceStart { tag: full(tag), anchor },
                Theirs::MappingStart(anchor, tag) => Event::MappingStart { tag: full(tag), anchor },
                Theirs::SequenceEnd | Theirs::MappingEnd => Event::End,
            };
            return Ok((event, span));
        }
    }
}

fn full(tag: Option<Cow<'_, saphyr_parser::Tag>>) -> Option<String> {
    tag.map(|tag| format!("{}{}", tag.handle, tag.suffix))
}

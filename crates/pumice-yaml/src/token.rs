//! The pieces a text is made of.

use std::borrow::Cow;

use pumice_types::Span;

/// A piece and its place.
#[derive(Clone, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: Kind<'t>,
    pub(crate) span: Span,
}

/// What a piece is (chapter 4 of YAML 1.1; the names are PyYAML's).
#[derive(Clone, Debug)]
pub(crate) enum Kind<'t> {
    StreamEnd,
    /// `%YAML`, with the major version.
    Version(u32),
    /// `%TAG`, with handle and prefix.
    TagPrefix(&'t str, String),
    /// A directive of another name.
    Reserved,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    FlowEntry,
    BlockEntry,
    Key,
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    /// The handle, if it has one, and the rest.
    Tag(Option<&'t str>, Cow<'t, str>),
    Scalar {
        text: Cow<'t, str>,
        plain: bool,
    },
}

impl Kind<'_> {
    /// What it is, for a message.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::StreamEnd => "the end of the text",
            Self::Version(_) | Self::TagPrefix(..) | Self::Reserved => "a directive",
            Self::DocumentStart => "`---`",
            Self::DocumentEnd => "`...`",
            Self::BlockSequenceStart => "a list",
            Self::BlockMappingStart | Self::Key => "a key",
            Self::BlockEnd => "the end of an indented part",
            Self::FlowSequenceStart => "`[`",
            Self::FlowSequenceEnd => "`]`",
            Self::FlowMappingStart => "`{`",
            Self::FlowMappingEnd => "`}`",
            Self::FlowEntry => "`,`",
            Self::BlockEntry => "`-`",
            Self::Value => "`:`",
            Self::Alias(_) => "an alias",
            Self::Anchor(_) => "an anchor",
            Self::Tag(..) => "a tag",
            Self::Scalar { .. } => "a text",
        }
    }
}

//! What scalars and tags mean.

use pumice_types::{Diagnostic, Span};

use super::{Composed, Composer, Tag};
use crate::{
    Node, Value, codes,
    scalar::{self, Kind},
    timestamp,
};

/// The prefix of the tags that YAML itself defines.
const YAML: &str = "tag:yaml.org,2002:";

impl Composer<'_> {
    /// A tag in full.
    pub(super) fn tag(&mut self, handle: Option<&str>, suffix: &str, span: Span) -> String {
        let Some(handle) = handle else { return suffix.to_owned() };
        match (self.tag_prefixes.get(handle), handle) {
            (Some(prefix), _) => format!("{prefix}{suffix}"),
            (None, "!!") => format!("{YAML}{suffix}"),
            (None, "!") => format!("!{suffix}"),
            (None, _) => {
                self.error(codes::TAG, span, format!("the tag handle `{handle}` is not declared"));
                format!("{YAML}str")
            }
        }
    }

    /// A scalar by its tag, or by what it looks like. PyYAML resolves a plain one without a tag, and any one with the
    /// tag `!`.
    pub(super) fn scalar(&mut self, text: &str, plain: bool, tag: Option<&Tag>, span: Span) -> Composed {
        let made = |value, special| Composed { node: Node { span, value }, used: span, depth: 0, special };
        let kind = match tag {
            None if !plain => Kind::String,
            Some(tag) if tag.name != "!" => return made(self.tagged(text, tag, span), None),
            _ => scalar::resolve(text),
        };
        let value = match kind {
            Kind::Null => Some(Value::Null),
            Kind::Bool => scalar::boolean(text).map(Value::Bool),
            Kind::Int => scalar::int(text),
            Kind::Float => scalar::float(text).map(Value::Float),
            Kind::Timestamp => timestamp::normalised(text).map(Value::String),
            Kind::String | Kind::Default | Kind::Merge => Some(Value::String(text.to_owned())),
        };
        let special = matches!(kind, Kind::Merge).then_some(kind);
        let special = special.or_else(|| matches!(kind, Kind::Default).then_some(kind));
        made(self.or_error(value, text, span), special)
    }

    fn or_error(&mut self, value: Option<Value>, text: &str, span: Span) -> Value {
        value.unwrap_or_else(|| {
            let message = format!("`{text}` looks like a number or a date and is none");
            let diagnostic = Diagnostic::error(codes::VALUE, span, message);
            self.push(diagnostic.help("quote it if a text is meant"));
            Value::Null
        })
    }

    fn tagged(&mut self, text: &str, tag: &Tag, span: Span) -> Value {
        let value = match tag.name.strip_prefix(YAML) {
            Some("str") => Some(Value::String(text.to_owned())),
            Some("null") => Some(Value::Null),
            Some("bool") => scalar::boolean(&text.to_lowercase()).map(Value::Bool),
            Some("int") => scalar::int(text.trim()),
            Some("float") => scalar::float(text.trim()).map(Value::Float),
            Some("timestamp") => timestamp::normalised(text).map(Value::String),
            _ => {
                self.bad_tag(tag, "a scalar");
                return Value::String(text.to_owned());
            }
        };
        self.or_error(value, text, span)
    }

    pub(super) fn check_tag_of_collection(&mut self, tag: &Tag, node: &Node) {
        let fits = match (tag.name.strip_prefix(YAML), &node.value) {
            (None, _) => tag.name == "!",
            (Some(name), Value::Seq(_)) => matches!(name, "seq" | "omap" | "pairs"),
            (Some(name), _) => matches!(name, "map" | "set"),
        };
        if !fits {
            self.bad_tag(tag, node.kind());
        }
    }

    fn bad_tag(&mut self, tag: &Tag, what: &str) {
        let shown = tag.name.strip_prefix(YAML).map_or_else(|| tag.name.clone(), |name| format!("!!{name}"));
        let message = format!("the tag `{shown}` is unknown, or not one of {what}");
        self.push(
            Diagnostic::error(codes::TAG, tag.span, message)
                .help("remove the tag, or quote the text if the `!` belongs to it"),
        );
    }
}

//! TOML as the same tree that YAML becomes, so that one reader and one way to show mistakes serve both.

use pumice_types::{Code, Diagnostic, Diagnostics, SourceId, Span};
use pumice_yaml::{Entry, Map, Node, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The text is not TOML.
const SYNTAX: Code = Code("toml-syntax");

/// Reads a text. What could be read comes with the mistakes. `None` stands for nothing at all.
pub(super) fn parse(text: &str, source: SourceId) -> (Node, Diagnostics) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut diagnostics = Diagnostics::new();
    for error in errors {
        let span = error.span().map_or_else(Span::default, |range| Span::new(source, range.start, range.end));
        diagnostics.push(Diagnostic::error(SYNTAX, span, error.message().to_owned()));
    }
    let span = span(source, &table);
    let value = Value::Map(map(table.into_inner(), source, &mut diagnostics));
    (Node { span, value }, diagnostics)
}

fn span<T>(source: SourceId, spanned: &Spanned<T>) -> Span {
    let range = spanned.span();
    Span::new(source, range.start, range.end)
}

/// Entries in the order of the text, which the parser's own table does not keep.
fn map(table: DeTable<'_>, source: SourceId, diagnostics: &mut Diagnostics) -> Map {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            key_span: span(source, &key),
            key: key.into_inner().into_owned(),
            value: node(value, source, diagnostics),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Map(entries)
}

fn node(value: Spanned<DeValue<'_>>, source: SourceId, diagnostics: &mut Diagnostics) -> Node {
    let span = span(source, &value);
    let mut wrong = |what: &str| diagnostics.push(Diagnostic::error(SYNTAX, span, what.to_owned()));
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or_else(
            |_| {
                wrong("this number needs more than 64 bits; write it as a string");
                Value::Null
            },
            Value::Int,
        ),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Bool(flag),
        DeValue::Datetime(_) => {
            wrong("a date means nothing here; write it as a string");
            Value::Null
        }
        DeValue::Array(items) => {
            Value::Seq(items.into_iter().map(|item| node(item, source, diagnostics)).collect())
        }
        DeValue::Table(table) => Value::Map(map(table, source, diagnostics)),
    };
    Node { span, value }
}

/// `child` over `parent`: mappings key by key, everything else whole. Inherited keys come first.
pub(super) fn over(parent: &Node, child: &Node) -> Node {
    let (Value::Map(low), Value::Map(high)) = (&parent.value, &child.value) else { return child.clone() };
    let mut entries = low.0.clone();
    for entry in high {
        match entries.iter_mut().find(|inherited| inherited.key == entry.key) {
            Some(inherited) => {
                *inherited = Entry { value: over(&inherited.value, &entry.value), ..entry.clone() };
            }
            None => entries.push(entry.clone()),
        }
    }
    Node { span: child.span, value: Value::Map(Map(entries)) }
}

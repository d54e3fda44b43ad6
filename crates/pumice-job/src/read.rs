//! A checked tree to types.
//!
//! Reading is lenient: where a text is wanted any scalar will do, since that is what LAVA makes of it. A value that
//! is there and cannot be used at all becomes a defect.

mod blocks;
mod boot;
mod deploy;
mod multinode;
mod notify;
mod paths;
mod test;
mod top;

pub(crate) use paths::resolve_paths;
pub(crate) use top::environment;

use std::{num::NonZeroU32, time::Duration};

use pumice_types::{Diagnostic, Diagnostics, Span, Spanned};
use pumice_yaml::{Map, Node, Value};

use crate::{Job, NamedTimeout, Timeout, Variable, codes::UNUSABLE};

/// The definition as types; `None` when it is no mapping. `is_assigned`: see [`crate::Rules`].
pub(crate) fn job(node: &Node, is_assigned: bool) -> Option<Job> {
    node.as_map().map(|map| top::job(map, node.span, is_assigned))
}

/// A mapping being read, and where its defects go.
#[derive(Clone, Copy)]
struct Fields<'n> {
    map: &'n Map,
    span: Span,
}

impl<'n> Fields<'n> {
    /// The mapping `node` is.
    fn of(node: &'n Node, defects: &mut Diagnostics) -> Option<Self> {
        let map = node.as_map();
        if map.is_none() {
            defect(defects, node, "a mapping");
        }
        map.map(|map| Self { map, span: node.span })
    }

    /// The value of `key`; none when it is null.
    fn get(self, key: &str) -> Option<&'n Node> {
        self.map.get(key).filter(|node| !node.is_null())
    }

    /// The mapping under `key`.
    fn fields(self, key: &str, defects: &mut Diagnostics) -> Option<Self> {
        self.get(key).and_then(|node| Self::of(node, defects))
    }

    /// The items under `key`.
    fn items(self, key: &str, defects: &mut Diagnostics) -> &'n [Node] {
        let Some(node) = self.get(key) else { return &[] };
        node.as_seq().unwrap_or_else(|| {
            defect(defects, node, "a list");
            &[]
        })
    }

    /// The text under `key`.
    fn text(self, key: &str, defects: &mut Diagnostics) -> Option<Spanned<String>> {
        self.get(key).and_then(|node| text(node, defects))
    }

    /// The text under `key`, which must be there.
    fn needed(self, key: &str, defects: &mut Diagnostics) -> Option<Spanned<String>> {
        let found = self.text(key, defects);
        if found.is_none() && self.get(key).is_none() {
            defects.push(Diagnostic::error(UNUSABLE, self.span, format!("`{key}` is missing")));
        }
        found
    }

    /// The texts under `key`: a list, or one alone.
    fn texts(self, key: &str, defects: &mut Diagnostics) -> Vec<Spanned<String>> {
        match self.get(key) {
            None => Vec::new(),
            Some(Node { value: Value::Seq(items), .. }) => {
                items.iter().filter_map(|item| text(item, defects)).collect()
            }
            Some(node) => text(node, defects).into_iter().collect(),
        }
    }

    /// The boolean under `key`. Any other scalar counts as Python counts it.
    fn flag(self, key: &str, default: bool) -> bool {
        self.get(key).map_or(default, |node| match &node.value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::String(text) => !text.is_empty(),
            Value::Seq(items) => !items.is_empty(),
            Value::Map(map) => !map.0.is_empty(),
        })
    }

    /// The boolean under `key`, if it is there.
    fn spanned_flag(self, key: &str) -> Option<Spanned<bool>> {
        self.get(key).map(|node| Spanned::new(self.flag(key, false), node.span))
    }

    /// The whole number from 0 under `key`.
    fn number(self, key: &str, defects: &mut Diagnostics) -> Option<Spanned<u32>> {
        let node = self.get(key)?;
        let number = integer(node).and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            defect(defects, node, "a whole number, 0 or more");
        }
        number.map(|number| Spanned::new(number, node.span))
    }

    /// The whole number from 1 under `key`.
    fn count(self, key: &str, defects: &mut Diagnostics) -> Option<Spanned<NonZeroU32>> {
        let node = self.get(key)?;
        let count = integer(node).and_then(|number| u32::try_from(number).ok()).and_then(NonZeroU32::new);
        if count.is_none() {
            defect(defects, node, "a whole number, 1 or more");
        }
        count.map(|count| Spanned::new(count, node.span))
    }

    /// The word under `key`, as what it stands for.
    fn word<T: Copy>(self, key: &str, words: &[(&str, T)], defects: &mut Diagnostics) -> Option<Spanned<T>> {
        let node = self.get(key)?;
        let found = node.as_str().and_then(|word| words.iter().find(|(name, _)| *name == word));
        if found.is_none() {
            let names: Vec<_> = words.iter().map(|(name, _)| format!("`{name}`")).collect();
            defect(defects, node, &names.join(", "));
        }
        found.map(|(_, value)| Spanned::new(*value, node.span))
    }

    /// The variables under `key`.
    fn variables(self, key: &str, defects: &mut Diagnostics) -> Vec<Variable> {
        self.fields(key, defects).map(|fields| variables(fields.map)).unwrap_or_default()
    }

    /// The timeout under `key`.
    fn timeout(self, key: &str, defects: &mut Diagnostics) -> Option<Timeout> {
        self.fields(key, defects).map(timeout)
    }

    /// The timeouts by name under `key`.
    fn named_timeouts(self, key: &str, defects: &mut Diagnostics) -> Vec<NamedTimeout> {
        let Some(fields) = self.fields(key, defects) else { return Vec::new() };
        let named = fields.map.iter().filter_map(|entry| {
            let timeout = timeout(Fields::of(&entry.value, defects)?);
            Some(NamedTimeout { name: Spanned::new(entry.key.clone(), entry.key_span), timeout })
        });
        named.collect()
    }
}

fn defect(defects: &mut Diagnostics, node: &Node, expected: &str) {
    let message = format!("{} cannot be used here", node.kind());
    defects.push(Diagnostic::error(UNUSABLE, node.span, message).label(format!("expected {expected}")));
}

/// A scalar as text.
fn text(node: &Node, defects: &mut Diagnostics) -> Option<Spanned<String>> {
    let text = if node.is_null() { None } else { node.scalar_text() };
    if text.is_none() {
        defect(defects, node, "a text");
    }
    text.map(|text| Spanned::new(text, node.span))
}

/// A whole number; in Python a boolean is one.
fn integer(node: &Node) -> Option<i64> {
    match node.value {
        Value::Int(number) => Some(number),
        Value::Bool(value) => Some(value.into()),
        _ => None,
    }
}

/// Every entry as a variable.
fn variables(map: &Map) -> Vec<Variable> {
    let variable = |entry: &pumice_yaml::Entry| Variable {
        name: Spanned::new(entry.key.clone(), entry.key_span),
        value: Spanned::new(entry.value.text(), entry.value.span),
    };
    map.iter().map(variable).collect()
}

/// The sum of the units, as LAVA adds them (lava-compat 1.2); its default when that is nothing.
fn timeout(fields: Fields<'_>) -> Timeout {
    const UNITS: [(&str, i64); 4] = [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];
    let seconds = UNITS.iter().fold(0_i64, |sum, (unit, factor)| {
        let number = fields.get(unit).and_then(integer).unwrap_or(0);
        sum.saturating_add(number.saturating_mul(*factor))
    });
    let duration = match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        _ => Timeout::UNSET,
    };
    Timeout {
        duration,
        skip: fields.flag("skip", false),
        soft: fields.flag("soft", false),
        span: fields.span,
    }
}

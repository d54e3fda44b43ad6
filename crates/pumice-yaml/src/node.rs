//! The tree a YAML text becomes.

use std::fmt::Write as _;

use pumice_types::Span;
use serde::Serialize;

/// One node and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// The bytes it was read from. A node that came through an alias or a merge keeps the place where it was
    /// written, not where it was used.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is, after PyYAML's (YAML 1.1) resolution of plain scalars.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    #[default]
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A decimal, octal (`0755`), hexadecimal, binary or sexagesimal (`1:30`) integer. One too large for 64
    /// bits becomes a float.
    Int(i64),
    /// A float.
    Float(f64),
    /// Any other text.
    String(String),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, merge keys already applied.
    Map(Map),
}

/// A mapping in the order of the text. Keys are unique: of doubles the last won, as with PyYAML.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(pub Vec<Entry>);

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key; a scalar, as Python would print it.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Map {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// One entry after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    /// The keys, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.key.as_str())
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Node {
    /// A node that stands nowhere, for values that no text gave.
    pub fn made(value: Value) -> Self {
        Self { span: Span::default(), value }
    }

    /// What it is, for a message: `a string`, `a list`.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// The integer, if it is one. A boolean is not.
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Int(number) = self.value { Some(number) } else { None }
    }

    /// The number, if it is an integer or a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self.value {
            #[expect(clippy::cast_precision_loss, reason = "as Python's float() of an int")]
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value { Some(value) } else { None }
    }

    /// The items, if it is a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        if let Value::Seq(items) = &self.value { Some(items) } else { None }
    }

    /// The entries, if it is a mapping.
    pub fn as_map(&self) -> Option<&Map> {
        if let Value::Map(map) = &self.value { Some(map) } else { None }
    }

    /// The value of `key`, if it is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// The node at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// A scalar as Python's `str()` prints it: `True`, `None`, `1.0`; `None` for lists and mappings.
    pub fn scalar_text(&self) -> Option<String> {
        Some(match &self.value {
            Value::Null => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => python_float(*number),
            Value::String(text) => text.clone(),
            Value::Seq(_) | Value::Map(_) => return None,
        })
    }

    /// Any value as Python's `str()` prints it; lists and mappings as `['a', 1]` and `{'k': None}`.
    pub fn text(&self) -> String {
        self.scalar_text().unwrap_or_else(|| {
            let mut shown = String::new();
            self.write_repr(&mut shown);
            shown
        })
    }

    fn write_repr(&self, shown: &mut String) {
        match &self.value {
            Value::String(text) => write_python_string(text, shown),
            Value::Seq(items) => {
                shown.push('[');
                for (index, item) in items.iter().enumerate() {
                    shown.push_str(if index > 0 { ", " } else { "" });
                    item.write_repr(shown);
                }
                shown.push(']');
            }
            Value::Map(map) => {
                shown.push('{');
                for (index, entry) in map.iter().enumerate() {
                    shown.push_str(if index > 0 { ", " } else { "" });
                    write_python_string(&entry.key, shown);
                    shown.push_str(": ");
                    entry.value.write_repr(shown);
                }
                shown.push('}');
            }
            _ => shown.push_str(&self.scalar_text().unwrap_or_default()),
        }
    }

    /// The same tree as JSON; floats that JSON cannot hold become strings.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(number) => Json::from(*number),
            Value::Float(number) => serde_json::Number::from_f64(*number)
                .map_or_else(|| Json::String(python_float(*number)), Json::Number),
            Value::String(text) => Json::String(text.clone()),
            Value::Seq(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(map) => map.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
        }
    }

    /// A tree that stands nowhere, from JSON.
    pub fn from_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        Self::made(match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
            }
            Json::String(text) => Value::String(text.clone()),
            Json::Array(items) => Value::Seq(items.iter().map(Self::from_json).collect()),
            Json::Object(entries) => Value::Map(Map(entries
                .iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    key_span: Span::default(),
                    value: Self::from_json(value),
                })
                .collect())),
        })
    }
}

/// As JSON: a plan that is printed does not show offsets.
impl Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// As a JSON object.
impl Serialize for Map {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|entry| (&entry.key, &entry.value)))
    }
}

/// Python's `repr()` of a string.
fn write_python_string(text: &str, shown: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    shown.push(quote);
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\\' => shown.push_str("\\\\"),
            _ if character == quote => {
                shown.push('\\');
                shown.push(character);
            }
            _ if character.is_control() => {
                let _ = write!(shown, "\\x{:02x}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    shown.push(quote);
}

/// A float as Python prints it: `1.0`, `1e+16`, `inf`, `nan`.
fn python_float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        let mut shown = String::new();
        let _ = write!(shown, "{digits}e{sign}{exponent:0>2}");
        return shown;
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        let shown: Vec<_> = [1.0, 0.5, 1e16, 1.5e-5, -0.0, f64::INFINITY].map(python_float).into();
        assert_eq!(shown, ["1.0", "0.5", "1e+16", "1.5e-05", "-0.0", "inf"]);
    }

    #[test]
    fn lists_and_mappings_print_as_python_prints_them() {
        let json = serde_json::json!({"a": [1, true, null, "it's", "\"'\n"], "b": "x"});
        assert_eq!(Node::from_json(&json).text(), r#"{'a': [1, True, None, "it's", '"\'\n'], 'b': 'x'}"#);
        assert_eq!(Node::from_json(&serde_json::json!("x")).text(), "x");
    }
}

//! What a job must not show.

use pumice_types::{MASK, Mask, Spanned};
use pumice_yaml::{Node, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// The secrets of a job: names, and texts that are masked wherever they could be shown.
#[derive(Clone, Default, PartialEq)]
pub struct Secrets(Vec<(Spanned<String>, Node)>);

impl Secrets {
    /// From names and values; a value is a text, or a mapping for programs that need several.
    pub fn new(secrets: Vec<(Spanned<String>, Node)>) -> Self {
        Self(secrets)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of one secret.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }

    /// Names and texts of those secrets that are scalars, in order: what the test shell on the DUT gets.
    pub fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().filter_map(|(name, value)| Some((name.value.as_str(), value.scalar_text()?)))
    }

    /// What hides every one of them.
    pub fn mask(&self) -> Mask {
        let mut found = Vec::new();
        for (_, value) in &self.0 {
            collect(value, &mut found);
        }
        Mask::new(found)
    }
}

/// Every scalar below `node`. The depth is bounded by the limits of the parser.
fn collect(node: &Node, found: &mut Vec<String>) {
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(map) => map.iter().for_each(|entry| collect(&entry.value, found)),
        Value::Null | Value::Bool(_) => {}
        Value::Int(_) | Value::Float(_) | Value::String(_) => found.extend(node.scalar_text()),
    }
}

/// Shows the names alone.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (&name.value, MASK))).finish()
    }
}

/// Writes the names alone.
impl Serialize for Secrets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, _) in &self.0 {
            map.serialize_entry(&name.value, MASK)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::Span;

    use super::*;

    #[test]
    fn secrets_are_masked_everywhere_and_shown_nowhere() {
        let text = |text: &str| Node::made(Value::String(text.to_owned()));
        let name = |name: &str| Spanned::new(name.to_owned(), Span::default());
        let secrets = Secrets::new(vec![
            (name("token"), text("hunter2")),
            (name("nested"), Node::made(Value::Seq(vec![text("s3cr3t"), Node::made(Value::Int(4711))]))),
        ]);
        assert_eq!(secrets.mask().apply("hunter2 s3cr3t 4711"), "[MASKED] [MASKED] [MASKED]");
        let shown = format!("{secrets:?} {}", serde_json::to_string(&secrets).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("s3cr3t"), "{shown}");
        assert_eq!(secrets.texts().collect::<Vec<_>>(), [("token", "hunter2".to_owned())]);
    }
}

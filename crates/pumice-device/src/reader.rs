//! Reading trees into values: what is wrong is said and left at its default.

use std::{collections::BTreeMap, time::Duration};

use pumice_types::{Code, Diagnostic, Diagnostics, nearest};
use pumice_yaml::{Map, Node};

/// A value of the wrong kind.
const WRONG_TYPE: Code = Code("wrong-type");
/// A key that means nothing here.
const UNKNOWN_KEY: Code = Code("unknown-key");

/// Units of a duration in seconds (lava-compat 1.2).
const UNITS: [(&str, u64); 4] = [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)];

/// Collects mistakes while values are taken out of a tree.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) diagnostics: Diagnostics,
}

impl Reader {
    /// Says that `node` is not what was expected there.
    pub(crate) fn wrong(&mut self, node: &Node, expected: &str) {
        let message = format!("expected {expected}, found {}", node.kind());
        self.diagnostics.push(Diagnostic::error(WRONG_TYPE, node.span, message));
    }

    /// Refuses the keys of `map` that are not in `known`.
    pub(crate) fn only(&mut self, map: &Map, known: &[&'static str]) {
        for entry in map.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let message = format!("unknown key `{}`", entry.key);
            let meant = nearest(&entry.key, known.iter().copied());
            let help = meant.map_or_else(
                || format!("the keys here are {}", known.join(", ")),
                |meant| format!("did you mean `{meant}`?"),
            );
            let diagnostic = Diagnostic::error(UNKNOWN_KEY, entry.key_span, message).help(help);
            self.diagnostics.push(diagnostic.suggest(meant));
        }
    }

    /// A scalar as text; nothing for null or no node.
    pub(crate) fn text(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node.filter(|node| !node.is_null())?;
        let text = node.scalar_text();
        if text.is_none() {
            self.wrong(node, "a string");
        }
        text
    }

    /// A whole number, zero or more; nothing for null or no node.
    pub(crate) fn count(&mut self, node: Option<&Node>) -> Option<u64> {
        let node = node.filter(|node| !node.is_null())?;
        let count = node.as_i64().and_then(|number| u64::try_from(number).ok());
        if count.is_none() {
            self.wrong(node, "a whole number, zero or more");
        }
        count
    }

    /// As [`Reader::count`], where more than 4 billion means 4 billion.
    pub(crate) fn small_count(&mut self, node: Option<&Node>) -> Option<u32> {
        self.count(node).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// A boolean; nothing for null or no node.
    pub(crate) fn flag(&mut self, node: Option<&Node>) -> Option<bool> {
        let node = node.filter(|node| !node.is_null())?;
        let flag = node.as_bool();
        if flag.is_none() {
            self.wrong(node, "true or false");
        }
        flag
    }

    /// The entries of a mapping; none for null or no node.
    pub(crate) fn entries<'a>(&mut self, node: Option<&'a Node>, expected: &str) -> &'a [pumice_yaml::Entry] {
        let Some(node) = node.filter(|node| !node.is_null()) else { return &[] };
        let map = node.as_map();
        if map.is_none() {
            self.wrong(node, expected);
        }
        map.map_or(&[], |map| &map.0)
    }

    /// Scalars of a list, nulls left out: `[null]` is what a template leaves of an empty one (lava-compat 2.3).
    pub(crate) fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
        let Some(items) = node.as_seq() else {
            self.wrong(node, "a list of strings");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text(Some(item))).collect()
    }

    /// Values as the test shell sees them: a boolean is 1 or 0 (lava-compat 4.5).
    pub(crate) fn variables(&mut self, node: Option<&Node>) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for entry in self.entries(node, "a mapping of names to values") {
            let flag = entry.value.as_bool().map(|flag| u8::from(flag).to_string());
            match flag.or_else(|| entry.value.scalar_text()) {
                Some(text) => {
                    variables.insert(entry.key.clone(), text);
                }
                None => self.wrong(&entry.value, "a string or a number"),
            }
        }
        variables
    }

    /// Durations by name.
    pub(crate) fn durations(&mut self, node: Option<&Node>) -> BTreeMap<String, Duration> {
        let mut durations = BTreeMap::new();
        for entry in self.entries(node, "a mapping of names to durations") {
            if let Some(duration) = self.duration(&entry.value) {
                durations.insert(entry.key.clone(), duration);
            }
        }
        durations
    }

    /// The sum of the units, as LAVA sums them; other keys mean nothing there (lava-compat 1.2).
    pub(crate) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let Some(map) = node.as_map() else {
            self.wrong(node, "a duration such as `{minutes: 2}`");
            return None;
        };
        let mut seconds = 0_u64;
        for entry in map {
            let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == entry.key) else { continue };
            let number = self.count(Some(&entry.value)).unwrap_or(0);
            seconds = seconds.saturating_add(number.saturating_mul(*unit));
        }
        Some(Duration::from_secs(seconds))
    }
}

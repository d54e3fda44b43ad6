//! Mappings: keys, doubles, merges.

use pumice_types::{Diagnostic, Span};

use super::{Composed, Composer, FLOW_HELP};
use crate::{
    Entry, Map, Node, Value, codes,
    entries::Entries,
    scalar::Kind as ScalarKind,
    token::{Kind, Token},
};

/// The entries of a mapping that is being read.
#[derive(Default)]
struct Reading {
    own: Entries,
    merged: Vec<Entry>,
    deepest: usize,
}

impl Reading {
    /// The mapping: as in PyYAML's `flatten_mapping` what is merged comes first and is replaced by what is not.
    fn value(self) -> (Value, usize) {
        if self.merged.is_empty() {
            return (Value::Map(Map(self.own.into_list())), self.deepest);
        }
        let mut all = Entries::default();
        for entry in self.merged.into_iter().chain(self.own.into_list()) {
            all.insert(entry);
        }
        (Value::Map(Map(all.into_list())), self.deepest)
    }
}

impl<'t> Composer<'t> {
    pub(super) fn block_mapping(&mut self, depth: usize) -> (Value, usize) {
        let opened = self.next().map(|token| token.span);
        let mut reading = Reading::default();
        while let Some(token) = self.take(|kind| matches!(kind, Kind::Key)) {
            let ends = |kind: &Kind<'_>| matches!(kind, Kind::Key | Kind::Value | Kind::BlockEnd);
            if !self.pair(&mut reading, &token, true, depth, ends) {
                return reading.value();
            }
        }
        if self.take(|kind| matches!(kind, Kind::BlockEnd)).is_none() {
            let help = "a key begins exactly below the first one; check the indentation, and quote a text that \
                        begins with a bracket, a quote or another special character";
            self.unexpected("a key or the end of the mapping", help, opened);
        }
        reading.value()
    }

    pub(super) fn flow_mapping(&mut self, depth: usize) -> (Value, usize) {
        let opened = self.next().map(|token| token.span);
        let mut reading = Reading::default();
        let mut first = true;
        loop {
            if self.take(|kind| matches!(kind, Kind::FlowMappingEnd)).is_some() {
                return reading.value();
            }
            if !first {
                if self.take(|kind| matches!(kind, Kind::FlowEntry)).is_none() {
                    self.unexpected("`,` or `}`", FLOW_HELP, opened);
                    return reading.value();
                }
                if self.take(|kind| matches!(kind, Kind::FlowMappingEnd)).is_some() {
                    return reading.value();
                }
            }
            first = false;
            let ends = |kind: &Kind<'_>| matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd);
            let goes_on = match self.take(|kind| matches!(kind, Kind::Key)) {
                Some(token) => self.pair(&mut reading, &token, false, depth, ends),
                None => match self.node(false, false, depth) {
                    Some(key) => {
                        let value = self.empty(key.used.end, key.used.source);
                        self.entry(&mut reading, &key, value);
                        true
                    }
                    None => false,
                },
            };
            if !goes_on {
                return reading.value();
            }
        }
    }

    /// The one pair of a mapping that stands in a list without braces: `[a: b]`.
    pub(super) fn flow_pair(&mut self, depth: usize) -> (Value, usize) {
        let mut reading = Reading::default();
        if let Some(token) = self.next() {
            let ends =
                |kind: &Kind<'_>| matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd);
            self.pair(&mut reading, &token, false, depth, ends);
        }
        reading.value()
    }

    /// Reads what stands behind a key token: the key, and the value if there is a `:`. `ends` says what cannot begin
    /// either. False when the text ends here.
    fn pair(
        &mut self,
        reading: &mut Reading,
        before: &Token<'t>,
        block: bool,
        depth: usize,
        ends: fn(&Kind<'_>) -> bool,
    ) -> bool {
        let Some(key) = self.node_or_empty(before, block, depth, ends) else { return false };
        let value = match self.take(|kind| matches!(kind, Kind::Value)) {
            Some(colon) => self.node_or_empty(&colon, block, depth, ends),
            None if self.stopped => None,
            None => Some(self.empty(key.used.end, key.used.source)),
        };
        // A key whose value cannot be read is kept: it says what the writer was about to say.
        let goes_on = value.is_some();
        let value = value.unwrap_or_else(|| self.empty(key.used.end, key.used.source));
        self.entry(reading, &key, value);
        goes_on
    }

    fn node_or_empty(
        &mut self,
        before: &Token<'t>,
        block: bool,
        depth: usize,
        ends: fn(&Kind<'_>) -> bool,
    ) -> Option<Composed> {
        if self.next_is(ends) {
            Some(self.empty(before.span.end, before.span.source))
        } else {
            self.node(block, block, depth)
        }
    }

    fn entry(&mut self, reading: &mut Reading, key: &Composed, value: Composed) {
        reading.deepest = reading.deepest.max(key.depth).max(value.depth);
        if key.special == Some(ScalarKind::Merge) {
            let merged = self.merge(value);
            reading.merged.extend(merged);
            return;
        }
        let Some(text) = self.key(&key.node, key.used) else { return };
        let value = self.plain_node(value);
        if let Some(first) = reading.own.insert(Entry { key: text, key_span: key.used, value }) {
            self.duplicate(first, key.used);
        }
    }

    fn key(&mut self, key: &Node, span: Span) -> Option<String> {
        let text = key.scalar_text();
        if text.is_none() {
            let help = if self.text[span.start..].starts_with('{') {
                "`{{ name }}` is a template that was not rendered; quote it if the braces are meant"
            } else {
                "quote the text if the brackets are meant"
            };
            let message = format!("{} cannot be a key", key.kind());
            self.push(Diagnostic::error(codes::KEY, span, message).help(help));
        }
        text
    }

    fn duplicate(&mut self, first: Span, second: Span) {
        if self.is_full() {
            return;
        }
        let key = &self.text[second.start..second.end];
        let line = self.text[..first.start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let message = format!("the key `{key}` stands twice in this mapping");
        self.push(
            Diagnostic::warning(codes::DUPLICATE_KEY, second, message)
                .label("this one is taken")
                .related(first, format!("the one on line {line} is ignored"))
                .help("remove the one that is not meant"),
        );
    }

    /// The entries that a merge brings, in the order in which later ones win.
    fn merge(&mut self, value: Composed) -> Vec<Entry> {
        match value.node.value {
            Value::Map(map) => map.0,
            Value::Seq(items) if items.iter().all(|item| item.as_map().is_some()) => {
                let maps = items.into_iter().rev().map(|item| item.value);
                maps.flat_map(|value| if let Value::Map(map) = value { map.0 } else { Vec::new() }).collect()
            }
            // The text ended before what is merged was read.
            _ if self.stopped => Vec::new(),
            _ => {
                let message = "`<<` merges a mapping or a list of mappings, and this is neither";
                self.error(codes::MERGE, value.used, message);
                Vec::new()
            }
        }
    }
}

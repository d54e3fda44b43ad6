//! Events to a tree: aliases, merges, tags, doubles, limits.

use std::collections::HashMap;

use pumice_types::{Code, Diagnostic, Diagnostics, SourceId, Span};

use crate::{
    Entry, Limits, Map, Node, Value, codes,
    event::{Event, Events},
    scalar::{self, Kind},
    timestamp,
};

/// The prefix of the tags YAML itself defines.
const YAML_TAG: &str = "tag:yaml.org,2002:";

/// Reads the one document of `text`.
pub(crate) fn document(text: &str, source: SourceId, limits: Limits) -> (Option<Node>, Diagnostics) {
    let mut composer = Composer {
        events: Events::new(text, source),
        text,
        limits,
        diagnostics: Diagnostics::new(),
        anchors: HashMap::new(),
        open_anchors: Vec::new(),
        nodes: 0,
        stopped: false,
    };
    let node = composer.document(source);
    (node, composer.diagnostics)
}

/// A node that aliases may stand for.
struct Anchored {
    node: Node,
    /// Nodes in it, itself included.
    nodes: usize,
    /// Levels in it; 0 for a scalar.
    depth: usize,
}

/// A composed node with what is needed to bound its copies.
struct Composed {
    node: Node,
    depth: usize,
    /// A plain `<<`, which as a key merges.
    merges: bool,
}

struct Composer<'t> {
    events: Events<'t>,
    text: &'t str,
    limits: Limits,
    diagnostics: Diagnostics,
    anchors: HashMap<usize, Anchored>,
    open_anchors: Vec<usize>,
    nodes: usize,
    /// The text cannot be read any further.
    stopped: bool,
}

impl<'t> Composer<'t> {
    fn document(&mut self, source: SourceId) -> Option<Node> {
        let mut root = None;
        while let Some((event, span)) = self.next() {
            match event {
                Event::DocumentStart if root.is_some() => {
                    self.error(codes::DOCUMENTS, span, "there is a second document in this text");
                    break;
                }
                Event::DocumentStart => {
                    if let Some((event, span)) = self.next() {
                        root = self.node(event, span, 0).map(|composed| composed.node);
                    }
                }
                Event::StreamEnd => break,
                _ => {}
            }
        }
        if root.is_none() && !self.stopped {
            root = Some(Node { span: Span::new(source, 0, 0), value: Value::Null });
        }
        root
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, span, message));
    }

    fn stop(&mut self, code: Code, span: Span, message: impl Into<String>) {
        if !self.stopped {
            self.error(code, span, message);
        }
        self.stopped = true;
    }

    /// The next event, or none once the text cannot be read any further.
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        if self.stopped {
            return None;
        }
        match self.events.next() {
            Ok(next) => Some(next),
            Err((message, span)) => {
                self.stop(codes::SYNTAX, span, message);
                None
            }
        }
    }

    /// Counts `nodes` more and says whether that is within the limit.
    fn count(&mut self, nodes: usize, span: Span) -> bool {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let most = self.limits.nodes;
            self.stop(codes::LIMIT, span, format!("with its aliases the text has more than {most} nodes"));
        }
        !self.stopped
    }

    /// The node that begins with `event`; `None` when the text ends here.
    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Option<Composed> {
        if let Event::Alias(anchor) = event {
            return Some(self.alias(anchor, span, depth));
        }
        if !self.count(1, span) {
            return None;
        }
        let before = self.nodes;
        let (anchor, composed) = match event {
            Event::Scalar { text, plain, tag, anchor } => {
                let (value, merges) = self.scalar(&text, plain, tag.as_deref(), span);
                (anchor, Composed { node: Node { span, value }, depth: 0, merges })
            }
            Event::SequenceStart { tag, anchor } => {
                self.open(anchor, span, depth)?;
                let (node, inner) = self.sequence(span, depth);
                self.open_anchors.pop();
                (anchor, self.tagged(tag.as_deref(), Composed { node, depth: inner + 1, merges: false }))
            }
            Event::MappingStart { tag, anchor } => {
                self.open(anchor, span, depth)?;
                let (node, inner) = self.mapping(span, depth);
                self.open_anchors.pop();
                (anchor, self.tagged(tag.as_deref(), Composed { node, depth: inner + 1, merges: false }))
            }
            _ => return None,
        };
        if anchor != 0 && !self.stopped {
            let anchored = Anchored {
                node: composed.node.clone(),
                nodes: self.nodes - before + 1,
                depth: composed.depth,
            };
            self.anchors.insert(anchor, anchored);
        }
        Some(composed)
    }

    /// Notes that a list or mapping begins, if it may be this deep.
    fn open(&mut self, anchor: usize, span: Span, depth: usize) -> Option<()> {
        if depth >= self.limits.depth {
            let most = self.limits.depth;
            self.stop(codes::LIMIT, span, format!("lists and mappings are more than {most} levels deep"));
            return None;
        }
        self.open_anchors.push(anchor);
        Some(())
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Composed {
        let null = Composed { node: Node { span, value: Value::Null }, depth: 0, merges: false };
        if self.open_anchors.contains(&anchor) {
            self.error(codes::ALIAS, span, "the alias stands inside the node it stands for");
            return null;
        }
        let Some(anchored) = self.anchors.get(&anchor) else { return null };
        let (nodes, inner) = (anchored.nodes, anchored.depth);
        if depth + inner > self.limits.depth {
            let most = self.limits.depth;
            self.stop(
                codes::LIMIT,
                span,
                format!("with its aliases the text is more than {most} levels deep"),
            );
            return null;
        }
        if !self.count(nodes, span) {
            return null;
        }
        self.anchors.get(&anchor).map_or(null, |anchored| Composed {
            node: anchored.node.clone(),
            depth: inner,
            merges: false,
        })
    }

    fn sequence(&mut self, mut span: Span, depth: usize) -> (Node, usize) {
        let mut items = Vec::new();
        let mut deepest = 0;
        while let Some((event, at)) = self.next() {
            if matches!(event, Event::End) {
                span.end = if at.end > at.start { at.end } else { span.end };
                break;
            }
            let Some(item) = self.node(event, at, depth + 1) else { break };
            span.end = span.end.max(at.end).max(item.node.span.end.min(self.text.len()));
            deepest = deepest.max(item.depth);
            items.push(item.node);
        }
        (Node { span, value: Value::Seq(items) }, deepest)
    }

    fn mapping(&mut self, mut span: Span, depth: usize) -> (Node, usize) {
        let mut own = Entries::default();
        let mut merged = Vec::new();
        let mut deepest = 0;
        while let Some((event, key_span)) = self.next() {
            if matches!(event, Event::End) {
                span.end = if key_span.end > key_span.start { key_span.end } else { span.end };
                break;
            }
            let Some(key) = self.node(event, key_span, depth + 1) else { break };
            let Some((event, value_span)) = self.next() else { break };
            let written_end = value_span.end;
            let Some(value) = self.node(event, value_span, depth + 1) else { break };
            span.end = span.end.max(written_end).max(key_span.end);
            if value.node.span.source == span.source && value.node.span.start >= span.start {
                span.end = span.end.max(value.node.span.end);
            }
            deepest = deepest.max(value.depth);
            if key.merges {
                merged.extend(self.merge(value.node, value_span));
            } else if let Some(text) = self.key(&key.node, key_span) {
                let entry = Entry { key: text, key_span, value: value.node };
                if let Some(first) = own.insert(entry) {
                    self.duplicate(first, key_span);
                }
            }
        }
        if merged.is_empty() {
            return (Node { span, value: Value::Map(Map(own.list)) }, deepest);
        }
        // As PyYAML's flatten_mapping: what is merged comes first, later entries replace earlier ones.
        let mut all = Entries::default();
        for entry in merged.into_iter().chain(own.list) {
            all.insert(entry);
        }
        (Node { span, value: Value::Map(Map(all.list)) }, deepest)
    }

    fn duplicate(&mut self, first: Span, second: Span) {
        let key = &self.text[second.start..second.end];
        let line = self.text[..first.start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        self.diagnostics.push(
            Diagnostic::warning(
                codes::DUPLICATE_KEY,
                second,
                format!("the key `{key}` stands twice in this mapping"),
            )
            .label("this one is taken")
            .related(first, format!("the one on line {line} is ignored"))
            .help("remove the one that is not meant"),
        );
    }

    fn key(&mut self, key: &Node, span: Span) -> Option<String> {
        let text = key.scalar_text();
        if text.is_none() {
            self.diagnostics.push(
                Diagnostic::error(codes::KEY, span, format!("{} cannot be a key", key.kind()))
                    .help("quote the text if the brackets are meant as they are"),
            );
        }
        text
    }

    /// The entries that a merge brings, in the order in which later ones win.
    fn merge(&mut self, value: Node, span: Span) -> Vec<Entry> {
        let entries: Vec<Entry> = match value.value {
            Value::Map(map) => map.0,
            Value::Seq(items) if items.iter().all(|item| item.as_map().is_some()) => items
                .into_iter()
                .rev()
                .flat_map(|item| if let Value::Map(map) = item.value { map.0 } else { Vec::new() })
                .collect(),
            _ => {
                self.error(
                    codes::MERGE,
                    span,
                    "`<<` merges a mapping or a list of mappings, and this is neither",
                );
                Vec::new()
            }
        };
        entries
    }

    /// The value of a scalar, and whether as a key it merges.
    fn scalar(&mut self, text: &str, plain: bool, tag: Option<&str>, span: Span) -> (Value, bool) {
        // PyYAML's parser: a plain scalar without a tag, and any scalar with the tag `!`, is resolved.
        let kind = match tag {
            Some("!") => scalar::resolve(text),
            None if plain => scalar::resolve(text),
            None => Kind::String,
            Some(tag) => return (self.tagged_scalar(text, tag, span), false),
        };
        let value = match kind {
            Kind::Null => Some(Value::Null),
            Kind::Bool => scalar::boolean(text).map(Value::Bool),
            Kind::Int => scalar::int(text),
            Kind::Float => scalar::float(text).map(Value::Float),
            Kind::Timestamp => timestamp::normalised(text).map(Value::String),
            Kind::String => Some(Value::String(text.to_owned())),
            // As a key `=` is a text and `<<` merges; as a value PyYAML has no constructor for either.
            Kind::Default | Kind::Merge => Some(Value::String(text.to_owned())),
        };
        (self.value_or_error(value, text, span), kind == Kind::Merge)
    }

    fn value_or_error(&mut self, value: Option<Value>, text: &str, span: Span) -> Value {
        value.unwrap_or_else(|| {
            self.diagnostics.push(
                Diagnostic::error(
                    codes::VALUE,
                    span,
                    format!("`{text}` looks like a number or a date and is none"),
                )
                .help("quote it if a text is meant"),
            );
            Value::Null
        })
    }

    fn tagged_scalar(&mut self, text: &str, tag: &str, span: Span) -> Value {
        let value = match tag.strip_prefix(YAML_TAG) {
            Some("str" | "binary") => Some(Value::String(text.to_owned())),
            Some("null") => Some(Value::Null),
            Some("bool") => scalar::boolean(&capitalised_bool(text)).map(Value::Bool),
            Some("int") => scalar::int(text),
            Some("float") => scalar::float(text).map(Value::Float),
            Some("timestamp") => timestamp::normalised(text).map(Value::String),
            _ => {
                self.unknown_tag(tag, span);
                return Value::String(text.to_owned());
            }
        };
        self.value_or_error(value, text, span)
    }

    fn tagged(&mut self, tag: Option<&str>, composed: Composed) -> Composed {
        let fits = match (tag.map(|tag| tag.strip_prefix(YAML_TAG).unwrap_or(tag)), &composed.node.value) {
            (None | Some("!"), _) | (Some("seq" | "omap" | "pairs"), Value::Seq(_)) => true,
            (Some("map" | "set"), Value::Map(_)) => true,
            _ => false,
        };
        if !fits && !self.stopped {
            self.unknown_tag(tag.unwrap_or_default(), composed.node.span);
        }
        composed
    }

    fn unknown_tag(&mut self, tag: &str, span: Span) {
        let shown = tag.strip_prefix(YAML_TAG).map_or_else(|| tag.to_owned(), |name| format!("!!{name}"));
        self.diagnostics.push(
            Diagnostic::error(codes::TAG, span, format!("the tag `{shown}` is unknown here"))
                .help("remove the tag, or quote the text if the `!` belongs to it"),
        );
    }
}

/// PyYAML's `bool_values` are looked up in lower case.
fn capitalised_bool(text: &str) -> String {
    text.to_lowercase()
}

/// Entries with unique keys.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl Entries {
    /// Adds an entry, or replaces the one with its key where it stands and returns that one's place.
    fn insert(&mut self, entry: Entry) -> Option<Span> {
        if let Some(place) = self.places.get(&entry.key) {
            let first = self.list[*place].key_span;
            self.list[*place] = entry;
            return Some(first);
        }
        self.places.insert(entry.key.clone(), self.list.len());
        self.list.push(entry);
        None
    }
}

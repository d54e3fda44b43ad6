//! Tokens to a tree: the grammar of YAML 1.1, aliases, and the limits.
//!
//! The grammar is that of `parser.py` of PyYAML 6.0.3. It is read by recursion; [`Limits::depth`] bounds it.

mod mapping;
mod scalars;

use std::collections::{BTreeMap, HashMap};

use pumice_types::{Code, Diagnostic, Diagnostics, Severity, SourceId, Span, nearest};

use crate::{
    Limits, Node, Value, codes, cursor,
    scalar::Kind as ScalarKind,
    scanner::Scanner,
    token::{Kind, Token},
};

/// Reads the one document of `text`.
pub(crate) fn document(text: &str, source: SourceId, limits: Limits) -> (Option<Node>, Diagnostics) {
    if let Some((at, character)) = cursor::first_unprintable(text) {
        let span = Span::new(source, at, at + character.len_utf8());
        let message = format!("the character U+{:04X} cannot stand in YAML", u32::from(character));
        let help = "in double quotes it can be written as an escape such as `\\x07`";
        return (None, [Diagnostic::error(codes::ENCODING, span, message).help(help)].into_iter().collect());
    }
    let mut composer = Composer {
        scanner: Scanner::new(text, source),
        text,
        limits,
        diagnostics: Diagnostics::new(),
        told: 0,
        has_errors: false,
        tag_prefixes: BTreeMap::new(),
        anchors: HashMap::new(),
        open_anchors: Vec::new(),
        nodes: 0,
        last_end: 0,
        stopped: false,
    };
    let root = composer.stream(source);
    let mut diagnostics = composer.scanner.noted;
    diagnostics.extend(composer.diagnostics);
    (root, diagnostics)
}

/// More mistakes than this are not told.
const MOST_TOLD: usize = 200;

/// A node that aliases may stand for.
struct Anchored {
    /// `None` while it is being read.
    node: Option<Node>,
    /// Where its anchor stands.
    span: Span,
    /// Nodes in it, itself included.
    nodes: usize,
    /// Levels in it; 0 for a scalar.
    depth: usize,
}

/// A node with what its user must know of it.
struct Composed {
    node: Node,
    /// Where it is used: not where it stands, when it comes through an alias.
    used: Span,
    /// Levels in it; 0 for a scalar.
    depth: usize,
    /// A plain `<<` or `=`, which mean something as a key and nothing elsewhere.
    special: Option<ScalarKind>,
}

/// A tag in full.
struct Tag {
    name: String,
    span: Span,
}

struct Composer<'t> {
    scanner: Scanner<'t>,
    text: &'t str,
    limits: Limits,
    diagnostics: Diagnostics,
    told: usize,
    has_errors: bool,
    /// What tag handles stand for, by the directives of the document.
    tag_prefixes: BTreeMap<&'t str, String>,
    anchors: HashMap<&'t str, Anchored>,
    /// The anchors of the nodes that are being read.
    open_anchors: Vec<&'t str>,
    nodes: usize,
    /// Where the last token ended that is not made of indentation.
    last_end: usize,
    /// The text cannot be read any further.
    stopped: bool,
}

impl<'t> Composer<'t> {
    /// Adds a mistake. Beyond what anybody reads only a first error is added, so that hostile texts cost little.
    fn push(&mut self, diagnostic: Diagnostic) {
        let is_error = diagnostic.severity == Severity::Error;
        if !self.is_full() || is_error && !self.has_errors {
            self.diagnostics.push(diagnostic);
            self.told += 1;
            self.has_errors |= is_error;
        }
    }

    fn is_full(&self) -> bool {
        self.told >= MOST_TOLD
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::error(code, span, message));
    }

    /// Reports why the text cannot be read any further; once.
    fn stop(&mut self, diagnostic: Diagnostic) {
        if !self.stopped {
            // Always told: it is why the tree ends.
            self.diagnostics.push(diagnostic);
        }
        self.stopped = true;
    }

    /// The next token, left where it is; none once the text cannot be read any further.
    fn peek(&mut self) -> Option<&Token<'t>> {
        if self.stopped {
            return None;
        }
        // Twice, since the first result would stay borrowed in the branch that reports.
        if let Err(diagnostic) = self.scanner.peek() {
            self.stop(*diagnostic);
            return None;
        }
        self.scanner.peek().ok()
    }

    /// The next token, taken.
    fn next(&mut self) -> Option<Token<'t>> {
        self.peek()?;
        let token = self.scanner.next().ok()?;
        if !matches!(token.kind, Kind::BlockEnd | Kind::StreamEnd) {
            self.last_end = token.span.end;
        }
        Some(token)
    }

    /// Takes the next token if it is what is wanted.
    fn take(&mut self, wanted: fn(&Kind<'_>) -> bool) -> Option<Token<'t>> {
        if wanted(&self.peek()?.kind) { self.next() } else { None }
    }

    fn next_is(&mut self, wanted: fn(&Kind<'_>) -> bool) -> bool {
        self.peek().is_some_and(|token| wanted(&token.kind))
    }

    /// Stops at the next token, which does not fit.
    fn unexpected(&mut self, expected: &str, help: &str, opened: Option<Span>) {
        let Some(token) = self.peek() else { return };
        let (found, span) = (token.kind.describe(), token.span);
        let mut diagnostic = Diagnostic::error(codes::SYNTAX, span, format!("{found} cannot stand here"))
            .label(format!("expected {expected}"))
            .help(help);
        if let Some(opened) = opened {
            diagnostic = diagnostic.related(opened, "opened here");
        }
        // After a mistake that was passed this one is most likely its consequence.
        if self.scanner.doubtful {
            self.stopped = true;
        }
        self.stop(diagnostic);
    }

    /// Counts `nodes` more and says whether that is within the limit.
    fn count(&mut self, nodes: usize, span: Span) -> bool {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let message = format!("with its aliases the text has more than {} nodes", self.limits.nodes);
            self.stop(Diagnostic::error(codes::LIMIT, span, message));
        }
        !self.stopped
    }

    fn is_too_deep(&mut self, depth: usize, span: Span) -> bool {
        if depth > self.limits.depth {
            let message = format!("lists and mappings are more than {} levels deep", self.limits.depth);
            self.stop(Diagnostic::error(codes::LIMIT, span, message));
        }
        self.stopped
    }

    fn stream(&mut self, source: SourceId) -> Option<Node> {
        let empty = Node { span: Span::new(source, 0, 0), value: Value::Null };
        if self.next_is(|kind| matches!(kind, Kind::StreamEnd)) {
            return Some(empty);
        }
        let explicit = self.directives()?;
        let no_content = |kind: &Kind<'_>| {
            let directive = matches!(kind, Kind::Version(_) | Kind::TagPrefix(..) | Kind::Reserved);
            directive || matches!(kind, Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd)
        };
        let root = if explicit && self.next_is(no_content) {
            Some(empty)
        } else {
            self.node(true, false, 0).map(|composed| self.plain_node(composed))
        };
        while self.take(|kind| matches!(kind, Kind::DocumentEnd)).is_some() {}
        if self.next_is(|kind| matches!(kind, Kind::DocumentStart | Kind::Version(_) | Kind::TagPrefix(..))) {
            let span = self.peek()?.span;
            self.stop(
                Diagnostic::error(codes::DOCUMENTS, span, "a second document begins here")
                    .help("put each document into a file of its own"),
            );
        } else if !self.next_is(|kind| matches!(kind, Kind::StreamEnd)) {
            self.unexpected(
                "the end of the text",
                "everything before this place is complete by itself: check the indentation and the `:` behind keys",
                None,
            );
        }
        root
    }

    /// Passes the directives and the `---`; says whether there was one. `None` when the text ends here.
    fn directives(&mut self) -> Option<bool> {
        let is_directive =
            |kind: &Kind<'_>| matches!(kind, Kind::Version(_) | Kind::TagPrefix(..) | Kind::Reserved);
        let mut explicit = false;
        let mut versions = 0;
        while let Some(token) = self.take(is_directive) {
            explicit = true;
            match token.kind {
                Kind::Version(major) => {
                    versions += 1;
                    if major != 1 || versions > 1 {
                        let message = "only one version of YAML can be named, and that must be a 1.x";
                        self.error(codes::SYNTAX, token.span, message);
                    }
                }
                Kind::TagPrefix(handle, prefix) => {
                    let old = self.tag_prefixes.insert(handle, prefix);
                    if old.is_some() {
                        self.error(codes::TAG, token.span, format!("`{handle}` is given twice"));
                    }
                }
                _ => {}
            }
        }
        if self.take(|kind| matches!(kind, Kind::DocumentStart)).is_some() {
            return Some(true);
        }
        if explicit {
            self.unexpected("`---`", "after directives a document begins with `---`", None);
            return None;
        }
        self.peek().map(|_| false)
    }

    /// A node: its alias, or its anchor and tag and what it is. `block` when it may be indented, `indentless` when it
    /// may be a list that is not indented deeper than its key. `None` when the text ends here.
    fn node(&mut self, block: bool, indentless: bool, depth: usize) -> Option<Composed> {
        if let Some(token) = self.take(|kind| matches!(kind, Kind::Alias(_))) {
            return Some(self.alias(&token, depth));
        }
        let mut anchor = None;
        let mut tag = None;
        while let Some(token) = self.take(|kind| matches!(kind, Kind::Anchor(_) | Kind::Tag(..))) {
            match token.kind {
                Kind::Anchor(name) if anchor.is_none() => anchor = Some((name, token.span)),
                Kind::Tag(handle, suffix) if tag.is_none() => {
                    tag = Some(Tag { name: self.tag(handle, &suffix, token.span), span: token.span });
                }
                _ => {
                    self.stop(Diagnostic::error(
                        codes::SYNTAX,
                        token.span,
                        "a node has one anchor and one tag at most",
                    ));
                    return None;
                }
            }
        }
        let properties = anchor.map(|(_, span)| span).max(tag.as_ref().map(|tag| tag.span));
        let before = self.nodes;
        if let Some((name, span)) = anchor {
            self.declare(name, span);
        }
        let composed = self.content(block, indentless, depth, tag.as_ref(), properties);
        if let Some((name, _)) = anchor {
            self.open_anchors.pop();
            let composed = composed.as_ref()?;
            // The copy that is kept counts too: anchors inside one another would keep many.
            let size = self.nodes - before;
            if !self.count(size, composed.used) {
                return None;
            }
            if let Some(anchored) = self.anchors.get_mut(name) {
                anchored.node = Some(composed.node.clone());
                anchored.nodes = size;
                anchored.depth = composed.depth;
            }
        }
        composed
    }

    fn content(
        &mut self,
        block: bool,
        indentless: bool,
        depth: usize,
        tag: Option<&Tag>,
        properties: Option<Span>,
    ) -> Option<Composed> {
        let token = self.peek()?;
        let span = token.span;
        let is_block_start = matches!(token.kind, Kind::BlockSequenceStart | Kind::BlockMappingStart);
        match token.kind {
            Kind::Scalar { .. } => {
                let Kind::Scalar { text, plain } = self.next()?.kind else { return None };
                self.count(1, span).then(|| self.scalar(&text, plain, tag, span))
            }
            Kind::BlockEntry if indentless => self.collection(tag, span, depth, Self::indentless_sequence),
            Kind::FlowSequenceStart => self.collection(tag, span, depth, Self::flow_sequence),
            Kind::FlowMappingStart => self.collection(tag, span, depth, Self::flow_mapping),
            Kind::BlockSequenceStart if block => self.collection(tag, span, depth, Self::block_sequence),
            Kind::BlockMappingStart if block => self.collection(tag, span, depth, Self::block_mapping),
            _ => {
                if let Some(properties) = properties {
                    let at = Span::new(properties.source, properties.end, properties.end);
                    return self.count(1, at).then(|| self.scalar("", true, tag, at));
                }
                let help = if is_block_start {
                    "what is in brackets cannot go on in indented form"
                } else {
                    "write a value here, or remove what stands before it; a text that begins with such a character \
                     must be in quotes"
                };
                self.unexpected("a value", help, None);
                None
            }
        }
    }

    /// Reads a list or mapping with `read`, which returns its value and the levels below it.
    fn collection(
        &mut self,
        tag: Option<&Tag>,
        mut span: Span,
        depth: usize,
        read: fn(&mut Self, usize) -> (Value, usize),
    ) -> Option<Composed> {
        if self.is_too_deep(depth + 1, span) || !self.count(1, span) {
            return None;
        }
        let (value, below) = read(self, depth + 1);
        span.end = self.last_end.max(span.start);
        let node = Node { span, value };
        if let Some(tag) = tag {
            self.check_tag_of_collection(tag, &node);
        }
        Some(Composed { node, used: span, depth: below + 1, special: None })
    }

    fn empty(&mut self, at: usize, source: SourceId) -> Composed {
        let span = Span::new(source, at, at);
        self.count(1, span);
        Composed { node: Node { span, value: Value::Null }, used: span, depth: 0, special: None }
    }

    /// The node itself, where `<<` and `=` mean nothing.
    fn plain_node(&mut self, composed: Composed) -> Node {
        if composed.special.is_some() {
            let text = composed.node.scalar_text().unwrap_or_default();
            self.push(
                Diagnostic::error(codes::VALUE, composed.used, format!("`{text}` alone cannot be a value"))
                    .help("quote it if the text is meant"),
            );
        }
        composed.node
    }

    // Aliases

    fn declare(&mut self, name: &'t str, span: Span) {
        let anchored = Anchored { node: None, span, nodes: 0, depth: 0 };
        if let Some(first) = self.anchors.insert(name, anchored) {
            self.push(
                Diagnostic::error(codes::ALIAS, span, format!("the anchor `&{name}` is given twice"))
                    .related(first.span, "first here"),
            );
        }
        self.open_anchors.push(name);
    }

    fn alias(&mut self, token: &Token<'t>, depth: usize) -> Composed {
        let Kind::Alias(name) = token.kind else { return self.empty(token.span.start, token.span.source) };
        let null = Composed {
            node: Node { span: token.span, value: Value::Null },
            used: token.span,
            depth: 0,
            special: None,
        };
        if self.open_anchors.contains(&name) {
            self.error(codes::ALIAS, token.span, format!("`*{name}` stands inside the node it stands for"));
            return null;
        }
        let Some(Anchored { nodes, depth: below, .. }) = self.anchors.get(name) else {
            let message = format!("no anchor `&{name}` stands before this alias");
            let likely = self.likely_anchor(name).map(|name| format!("*{name}"));
            self.push(
                Diagnostic::error(codes::ALIAS, token.span, message)
                    .suggest(likely)
                    .help("quote the text if it only begins with `*`"),
            );
            return null;
        };
        let (nodes, below) = (*nodes, *below);
        if self.is_too_deep(depth + below, token.span) || !self.count(nodes, token.span) {
            return null;
        }
        match self.anchors.get(name).and_then(|anchored| anchored.node.clone()) {
            Some(node) => Composed { node, used: token.span, depth: below, special: None },
            None => null,
        }
    }

    /// The anchor that was most likely meant. Comparing takes the product of the lengths, so long names are left.
    fn likely_anchor(&self, name: &str) -> Option<&'t str> {
        const LONGEST: usize = 80;
        let few = self.anchors.keys().copied().filter(|name| name.len() <= LONGEST).take(100);
        if name.len() > LONGEST || self.is_full() { None } else { nearest(name, few) }
    }

    // Lists

    fn block_sequence(&mut self, depth: usize) -> (Value, usize) {
        let opened = self.next().map(|token| token.span);
        let mut items = Items::default();
        while let Some(token) = self.take(|kind| matches!(kind, Kind::BlockEntry)) {
            let empty = self.next_is(|kind| matches!(kind, Kind::BlockEntry | Kind::BlockEnd));
            if !self.item(&mut items, empty, &token, true, depth) {
                return items.value();
            }
        }
        if self.take(|kind| matches!(kind, Kind::BlockEnd)).is_none() {
            let help =
                "an item begins with `- `, exactly below the `-` of the first one; check the indentation";
            self.unexpected("`- ` or the end of the list", help, opened);
        }
        items.value()
    }

    fn indentless_sequence(&mut self, depth: usize) -> (Value, usize) {
        let mut items = Items::default();
        while let Some(token) = self.take(|kind| matches!(kind, Kind::BlockEntry)) {
            let empty = self
                .next_is(|kind| matches!(kind, Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd));
            if !self.item(&mut items, empty, &token, true, depth) {
                break;
            }
        }
        items.value()
    }

    /// Reads the item behind a `-`; false when the text ends here.
    fn item(
        &mut self,
        items: &mut Items,
        empty: bool,
        before: &Token<'t>,
        block: bool,
        depth: usize,
    ) -> bool {
        let composed = if empty {
            Some(self.empty(before.span.end, before.span.source))
        } else {
            self.node(block, false, depth)
        };
        let Some(composed) = composed else { return false };
        items.deepest = items.deepest.max(composed.depth);
        let node = self.plain_node(composed);
        items.list.push(node);
        true
    }

    fn flow_sequence(&mut self, depth: usize) -> (Value, usize) {
        let opened = self.next().map(|token| token.span);
        let mut items = Items::default();
        loop {
            if self.take(|kind| matches!(kind, Kind::FlowSequenceEnd)).is_some() {
                return items.value();
            }
            if !items.list.is_empty() {
                if self.take(|kind| matches!(kind, Kind::FlowEntry)).is_none() {
                    self.unexpected("`,` or `]`", FLOW_HELP, opened);
                    return items.value();
                }
                if self.take(|kind| matches!(kind, Kind::FlowSequenceEnd)).is_some() {
                    return items.value();
                }
            }
            let Some(token) = self.peek() else { return items.value() };
            let span = token.span;
            let composed = if matches!(token.kind, Kind::Key) {
                self.collection(None, span, depth, Self::flow_pair)
            } else {
                self.node(false, false, depth)
            };
            let Some(composed) = composed else { return items.value() };
            items.deepest = items.deepest.max(composed.depth);
            let node = self.plain_node(composed);
            items.list.push(node);
        }
    }
}

/// What to do about brackets.
const FLOW_HELP: &str = "separate entries by `,` and close the bracket; a text that holds `[`, `]`, `{`, `}` or `, ` \
                         must be in quotes there";

/// The items of a list that is being read.
#[derive(Default)]
struct Items {
    list: Vec<Node>,
    deepest: usize,
}

impl Items {
    fn value(self) -> (Value, usize) {
        (Value::Seq(self.list), self.deepest)
    }
}

//! What an editor asks: which words could stand here, and what does this one mean.
//!
//! The answers come from the table of the language, for the tree that the text has so far.

use pumice_types::Span;
use pumice_yaml::{Node, Value};

use crate::{
    check::{accepts_kind, in_words},
    language::{self, ACTION_NAMES, ByWord, Object, Origin, RunsOn, Shape},
};

/// A word that could stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The word.
    pub word: &'static str,
    /// Whether it is a key, to be followed by `:`.
    pub is_key: bool,
    /// What it means.
    pub doc: &'static str,
}

/// What a word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// Where the word stands.
    pub span: Span,
    /// What it means, what may stand behind it, and where it comes from.
    pub text: String,
}

/// Which of the two texts a person edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// A job definition.
    Job,
    /// A test definition in a file of its own.
    TestDefinition,
}

impl Root {
    fn shape(self) -> Shape {
        match self {
            Self::Job => Shape::Object(&language::JOB),
            Self::TestDefinition => Shape::Object(&language::INLINE),
        }
    }
}

/// What the key or the value at byte `offset` of a text means; `tree` is the text's.
pub fn hover(root: Root, tree: &Node, offset: usize) -> Option<Hover> {
    let mut found = None;
    let mut here = (tree, root.shape());
    loop {
        let (node, shape) = here;
        here = match &node.value {
            Value::Map(map) => {
                let entry = map
                    .iter()
                    .find(|entry| holds(entry.key_span, offset) || holds(entry.value.span, offset))?;
                let child = child(shape, node, &entry.key)?;
                let text =
                    format!("{}\n\nMust be {}.{}", child.doc, in_words(child.shape), origin(child.origin));
                found = Some(Hover { span: entry.key_span, text });
                if holds(entry.key_span, offset) {
                    return found;
                }
                (&entry.value, child.shape)
            }
            Value::Seq(items) => match items.iter().find(|item| holds(item.span, offset)) {
                Some(item) => (item, item_shape(shape)?),
                None => return found,
            },
            Value::String(word) => {
                let meant = words(shape).into_iter().find(|completion| completion.word == word);
                return match meant.filter(|completion| !completion.doc.is_empty()) {
                    Some(completion) => Some(Hover { span: node.span, text: completion.doc.to_owned() }),
                    None => found,
                };
            }
            _ => return found,
        };
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Lava => "",
        Origin::NotInStrict => " LAVA's strict schema does not know it.",
        Origin::Extension => " An extension of Pumice.",
    }
}

/// The words that could stand at byte `offset` of `text`, of which `tree` is the tree.
pub fn complete(root: Root, tree: &Node, text: &str, offset: usize) -> Vec<Completion> {
    let line_start = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let Some(line) = text.get(line_start..offset) else { return Vec::new() };
    // On an empty line the indentation says which mapping is meant; `- ` indents too.
    let column = line.chars().take_while(|c| matches!(c, ' ' | '-')).count();
    let cursor = Cursor { text, offset, column: (column == line.chars().count()).then_some(column) };
    cursor.complete(tree, root.shape()).unwrap_or_default()
}

struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    /// The column of the cursor, when nothing stands before it on its line.
    column: Option<usize>,
}

impl Cursor<'_> {
    fn complete(&self, node: &Node, shape: Shape) -> Option<Vec<Completion>> {
        match &node.value {
            Value::Map(map) => {
                let is_absent = |completion: &Completion| map.get(completion.word).is_none();
                let absent = || keys(shape, node).into_iter().filter(is_absent).collect::<Vec<_>>();
                if map.iter().any(|entry| holds(entry.key_span, self.offset)) {
                    return Some(absent());
                }
                // The last entry that begins before the cursor, and what is in it, unless the cursor is further left.
                let entry = map.iter().rev().find(|entry| entry.key_span.start < self.offset);
                let inner = entry.and_then(|entry| {
                    let child = child(shape, node, &entry.key)?;
                    // In it, or behind its last word on the same line.
                    let ends = entry.value.span.end.max(entry.key_span.end).min(self.offset);
                    let is_inside = !self.text.get(ends..self.offset)?.contains('\n')
                        || self.column.is_some_and(|column| column > self.column_of(entry.key_span));
                    is_inside.then(|| self.complete(&entry.value, child.shape)).flatten()
                });
                let mine =
                    || map.0.first().is_none_or(|first| self.column == Some(self.column_of(first.key_span)));
                inner.or_else(|| mine().then(absent))
            }
            Value::Seq(items) => {
                let item = items.iter().rev().find(|item| item.span.start <= self.offset)?;
                self.complete(item, item_shape(shape)?)
            }
            // Nothing yet: whatever can begin here.
            Value::Null => {
                let mut all = words(shape);
                all.extend(keys(shape, node));
                Some(all)
            }
            _ => Some(words(shape)).filter(|words| !words.is_empty()),
        }
    }

    fn column_of(&self, span: Span) -> usize {
        let before = self.text.get(..span.start).unwrap_or_default();
        before.chars().rev().take_while(|c| *c != '\n').count()
    }
}

fn holds(span: Span, offset: usize) -> bool {
    (span.start..=span.end).contains(&offset)
}

/// What stands under a key.
struct Child {
    shape: Shape,
    doc: &'static str,
    origin: Origin,
}

fn child(shape: Shape, node: &Node, key: &str) -> Option<Child> {
    let made = |shape, doc| Some(Child { shape, doc, origin: Origin::Lava });
    match of_mapping(shape)? {
        Shape::Mapping(inner) => made(*inner, "A name of your own."),
        Shape::NamedTimeouts => made(Shape::Timeout, "The name of an action."),
        Shape::Known(words, inner) => {
            let word = words.iter().find(|word| word.word == key)?;
            made(*inner, word.doc)
        }
        shape => {
            let field = object(shape, node)?.field(key)?;
            Some(Child { shape: field.shape, doc: field.doc, origin: field.origin })
        }
    }
}

/// The shape that a mapping has among those that are allowed.
fn of_mapping(shape: Shape) -> Option<Shape> {
    match shape {
        Shape::Nullable(inner) | Shape::OneOrMore(inner) => of_mapping(*inner),
        Shape::Either(shapes) => {
            let empty = Node::made(Value::Map(pumice_yaml::Map::default()));
            shapes.iter().find(|shape| accepts_kind(**shape, &empty)).and_then(|shape| of_mapping(*shape))
        }
        shape => Some(shape),
    }
}

/// The known keys of a mapping.
fn object(shape: Shape, node: &Node) -> Option<&'static Object> {
    match shape {
        Shape::Object(object) => Some(object),
        Shape::Timeout => Some(&language::TIMEOUT),
        Shape::ByWord(by) => {
            let word = node.get(by.key).and_then(Node::as_str);
            let method = word.and_then(|word| by.methods.iter().find(|method| method.word == word));
            Some(method.map_or(by.otherwise, |method| &method.object))
        }
        Shape::ByKey(by) => {
            let variant = by.variants.iter().find(|(key, _)| node.get(key).is_some());
            variant.map(|(_, object)| object).or(by.otherwise)
        }
        _ => None,
    }
}

fn item_shape(shape: Shape) -> Option<Shape> {
    match shape {
        Shape::List(inner) | Shape::OneOrMore(inner) => Some(*inner),
        Shape::Nullable(inner) => item_shape(*inner),
        Shape::Either(shapes) => shapes.iter().find_map(|shape| item_shape(*shape)),
        _ => None,
    }
}

/// The keys that a mapping may have.
fn keys(shape: Shape, node: &Node) -> Vec<Completion> {
    let key = |word, doc| Completion { word, is_key: true, doc };
    let Some(shape) = of_mapping(shape) else { return Vec::new() };
    match shape {
        Shape::Known(words, _) => words.iter().map(|word| key(word.word, word.doc)).collect(),
        Shape::NamedTimeouts => ACTION_NAMES.iter().map(|name| key(name, "An action.")).collect(),
        // None of the deciding keys is there: each could be.
        Shape::ByKey(by) if object(shape, node).is_none() => {
            let decide = |(word, object): &(&'static str, Object)| {
                Some(key(word, object.field(word).map(|field| field.doc)?))
            };
            by.variants.iter().filter_map(decide).collect()
        }
        shape => object(shape, node)
            .map(|object| object.fields().map(|field| key(field.key, field.doc)).collect())
            .unwrap_or_default(),
    }
}

/// The words that may stand as a value. For a key that decides, see [`methods`].
fn words(shape: Shape) -> Vec<Completion> {
    let value = |word, doc| Completion { word, is_key: false, doc };
    match shape {
        Shape::Word(words) => words.iter().map(|word| value(word.word, word.doc)).collect(),
        Shape::Boolean => vec![value("true", "Yes."), value("false", "No.")],
        Shape::Nullable(inner) | Shape::OneOrMore(inner) => words(*inner),
        Shape::Either(shapes) => shapes.iter().flat_map(|shape| words(*shape)).collect(),
        Shape::Method(table) => methods(table.words()),
        _ => Vec::new(),
    }
}

/// The words under a key that decides: those for virtual platforms.
fn methods(by: &ByWord) -> Vec<Completion> {
    let here = by.methods.iter().filter(|method| method.runs_on == RunsOn::Virtual);
    here.map(|method| Completion { word: method.word, is_key: false, doc: method.doc }).collect()
}

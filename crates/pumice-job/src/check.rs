//! A definition held against the table of the language.

mod across;
mod arguments;
mod describe;
mod file_names;
mod flow;
mod notify;
mod timeouts;
mod told;

pub(crate) use across::{check as check_across, soften_boards};
pub(crate) use describe::{accepts_kind, shape as in_words};

use pumice_types::{Code, Diagnostic, Diagnostics, Severity, Span};
use pumice_yaml::{Entry, Map, Node, Value};

use self::told::Told;
use crate::{
    Rules, codes,
    language::{self, ByKey, ByWord, Field, Loose, Needed, Object, Origin, RunsOn, Shape, Unknown, Word},
};

/// Holds a definition against the table. When the text could not be read to its end, nothing is said of what is
/// missing.
pub(crate) fn check(node: &Node, rules: &Rules, complete: bool) -> Diagnostics {
    let mut checker = Checker { rules, complete, told: Told::default() };
    let place = Place { name: "the job definition", key: None, cap: Severity::Error, is_item: false };
    checker.object(node, &language::JOB, place);
    checker.told.into_list()
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'n> {
    /// What it is called: its key.
    name: &'n str,
    /// Where its key stands.
    key: Option<Span>,
    /// How bad a mistake in it can be: warnings only, where submission does not look.
    cap: Severity,
    /// Whether it is one of several in a list of that name.
    is_item: bool,
}

impl Place<'_> {
    /// What a sentence begins with.
    fn subject(self) -> String {
        let name = describe::quoted(self.name);
        if self.is_item { format!("each of {name}") } else { name }
    }

    fn capped(self, cap: Severity) -> Self {
        Self { cap: self.cap.min(cap), ..self }
    }
}

struct Checker<'r> {
    rules: &'r Rules,
    complete: bool,
    told: Told,
}

/// The code for submission and the code for the strict schema.
#[derive(Clone, Copy)]
struct Codes(Code, Code);

const UNKNOWN_KEY: Codes = Codes(codes::UNKNOWN_KEY, codes::STRICT_UNKNOWN_KEY);
const WRONG_TYPE: Codes = Codes(codes::WRONG_TYPE, codes::STRICT_WRONG_TYPE);
const WRONG_VALUE: Codes = Codes(codes::WRONG_VALUE, codes::STRICT_WRONG_VALUE);
const MISSING_KEY: Codes = Codes(codes::MISSING_KEY, codes::STRICT_MISSING_KEY);

fn diagnostic(severity: Severity, codes: Codes, span: Span, message: String) -> Diagnostic {
    match severity {
        Severity::Error => Diagnostic::error(codes.0, span, message),
        Severity::Warning => Diagnostic::warning(codes.1, span, message),
    }
}

impl Checker<'_> {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.told.add(diagnostic);
    }

    /// Whether a value has a shape. Only what submission would refuse counts.
    fn fits(&self, node: &Node, shape: Shape) -> bool {
        let mut scratch = Checker { rules: self.rules, complete: self.complete, told: Told::default() };
        scratch.value(node, shape, Place { name: "", key: None, cap: Severity::Error, is_item: false });
        !scratch.told.has_errors
    }

    /// Holds a value against a shape.
    fn value(&mut self, node: &Node, shape: Shape, place: Place<'_>) {
        match (shape, &node.value) {
            (Shape::Anything, _)
            | (Shape::Nullable(_), Value::Null)
            | (Shape::Text | Shape::Method(_), Value::String(_))
            // In Python a boolean is a whole number.
            | (Shape::Boolean | Shape::Whole(..) | Shape::Seconds, Value::Bool(_))
            | (Shape::Seconds, Value::Int(0..)) => {}
            (Shape::TextUpTo(most), Value::String(text)) => {
                let length = text.chars().count();
                if length == 0 || length > most {
                    self.wrong_value(node, shape, place, None);
                }
            }
            (Shape::Identifier, Value::String(text)) => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                if text.is_empty() || !text.chars().all(allowed) {
                    let mended: String =
                        text.trim().chars().map(|c| if allowed(c) { c } else { '-' }).collect();
                    self.wrong_value(node, shape, place, Some(mended).filter(|mended| !mended.is_empty()));
                }
            }
            (Shape::ContainerImage, Value::String(text)) => {
                if !describe::is_container_image(text) {
                    self.wrong_value(node, shape, place, None);
                }
            }
            (Shape::Whole(least, most), Value::Int(number)) => {
                if !(least..=most).contains(number) {
                    self.wrong_value(node, shape, place, None);
                }
            }
            (Shape::Seconds, Value::Float(number)) if *number >= 0.0 => {}
            (Shape::Word(words), Value::String(text)) => self.word(node, text, words, shape, place),
            (Shape::Timeout, Value::Map(map)) => self.timeout(map, node, place),
            (Shape::NamedTimeouts, Value::Map(map)) => self.named_timeouts(map, place),
            (Shape::List(inner) | Shape::OneOrMore(inner), Value::Seq(items)) => self.items(items, *inner, place),
            (Shape::Nullable(inner) | Shape::OneOrMore(inner), _) => self.value(node, *inner, place),
            (Shape::Mapping(inner), Value::Map(map)) => {
                for entry in map {
                    self.value(&entry.value, *inner, place_of(entry, place));
                }
            }
            (Shape::Known(words, inner), Value::Map(map)) => self.known(map, words, *inner, place),
            (Shape::Object(object), Value::Map(_)) => self.object(node, object, place),
            (Shape::ByWord(by), Value::Map(map)) => self.by_word(node, map, by, place),
            (Shape::ByKey(by), Value::Map(map)) => self.by_key(node, map, by, place),
            (Shape::Either(shapes), Value::String(text)) if describe::is_quoted_number(shapes, text) => {
                let message = format!("{} must be {}", place.subject(), describe::shape(shape));
                let found = diagnostic(place.cap, WRONG_VALUE, node.span, message);
                self.push(found.help("remove the quotes").suggest(Some(text.clone())));
            }
            (Shape::Either(shapes), _) => {
                match shapes.iter().find(|shape| accepts_kind(**shape, node)) {
                    Some(shape) => self.value(node, *shape, place),
                    None => self.wrong_type(node, shape, place),
                }
            }
            _ => self.wrong_type(node, shape, place),
        }
    }

    fn items(&mut self, items: &[Node], shape: Shape, place: Place<'_>) {
        for item in items {
            self.value(item, shape, Place { key: None, is_item: true, ..place });
        }
    }

    fn wrong_type(&mut self, node: &Node, shape: Shape, place: Place<'_>) {
        let span = if node.is_null() || node.span.start == node.span.end {
            place.key.unwrap_or(node.span)
        } else {
            node.span
        };
        let expected = describe::shape(shape);
        let message = format!("{} must be {expected}", place.subject());
        let mut diagnostic =
            diagnostic(place.cap, WRONG_TYPE, span, message).label(format!("this is {}", node.kind()));
        if describe::wants_text(shape)
            && matches!(node.value, Value::Int(_) | Value::Float(_) | Value::Bool(_))
        {
            diagnostic = diagnostic.help("put it in quotes");
        } else if let (Shape::List(_), Value::String(_) | Value::Int(_)) = (shape, &node.value) {
            diagnostic = diagnostic.help("put it in brackets, or begin it with `- `");
        } else if let Shape::Timeout = shape {
            diagnostic = match describe::timeout(&node.value) {
                Some(meant) => diagnostic.suggest(Some(meant)),
                None => diagnostic.help("the units are `seconds`, `minutes`, `hours` and `days`"),
            };
        } else if let (Shape::Whole(..) | Shape::Seconds | Shape::Boolean, Value::String(text)) =
            (shape, &node.value)
            && text.bytes().all(|byte| byte.is_ascii_digit())
        {
            diagnostic = diagnostic.help("remove the quotes").suggest(Some(text.clone()));
        }
        self.push(diagnostic);
    }

    fn wrong_value(&mut self, node: &Node, shape: Shape, place: Place<'_>, mended: Option<String>) {
        let message = format!("{} must be {}", place.subject(), describe::shape(shape));
        self.push(diagnostic(place.cap, WRONG_VALUE, node.span, message).suggest(mended));
    }

    /// A text that must be one of some words, or of the other shapes beside them.
    fn word(&mut self, node: &Node, text: &str, words: &[Word], shape: Shape, place: Place<'_>) {
        if words.iter().any(|word| word.word == text) {
            return;
        }
        let likely = describe::likely(text, words.iter().map(|word| word.word));
        let message = format!("{} must be {}", place.subject(), describe::shape(shape));
        let mut diagnostic = diagnostic(place.cap, WRONG_VALUE, node.span, message).suggest(likely);
        if let Some(likely) = likely {
            diagnostic = diagnostic.help(format!("did you mean `{likely}`?"));
        }
        self.push(diagnostic);
    }

    /// A mapping whose keys are known words.
    fn known(&mut self, map: &Map, words: &[Word], shape: Shape, place: Place<'_>) {
        for entry in map {
            let is_known = words.iter().any(|word| word.word == entry.key)
                || self.rules.extra_context_variables.contains(&entry.key);
            if is_known {
                self.value(&entry.value, shape, place_of(entry, place));
            } else if !self.told.is_full() || !self.told.has_errors {
                let likely = describe::likely(&entry.key, words.iter().map(|word| word.word));
                let message =
                    format!("`{}` is not a known key of `{}`", describe::short(&entry.key), place.name);
                let help = match likely {
                    Some(likely) => format!("did you mean `{likely}`?"),
                    None => {
                        "an operator may allow more variables (LAVA: `EXTRA_CONTEXT_VARIABLES`)".to_owned()
                    }
                };
                self.push(
                    diagnostic(place.cap, UNKNOWN_KEY, entry.key_span, message).suggest(likely).help(help),
                );
            }
        }
    }

    fn by_word(&mut self, node: &Node, map: &Map, by: &ByWord, place: Place<'_>) {
        let found = map.get(by.key).and_then(Node::as_str);
        let method = found.and_then(|word| by.methods.iter().find(|method| method.word == word));
        let Some(word) = found else { return self.object(node, by.otherwise, place) };
        let span = map.get(by.key).map_or(node.span, |node| node.span);
        match method {
            Some(method) if method.runs_on == RunsOn::Board => {
                let message = format!("`{}: {word}` needs a physical board", by.key);
                self.push(
                    Diagnostic::error(codes::NEEDS_BOARD, span, message)
                        .label(method.doc)
                        .help(describe::instead_of_board(by)),
                );
                self.object(node, by.otherwise, place);
            }
            Some(method) => self.object(node, &method.object, place),
            None => {
                let here = by.methods.iter().filter(|method| method.runs_on == RunsOn::Virtual);
                let likely = describe::likely(word, here.clone().map(|method| method.word));
                let words: Vec<_> = here.map(|method| format!("`{}`", method.word)).collect();
                let help = likely.map_or_else(
                    || format!("there are {}", words.join(", ")),
                    |likely| format!("did you mean `{likely}`?"),
                );
                let message = format!("`{}` is not a {}", describe::short(word), by.what);
                self.push(
                    Diagnostic::warning(codes::UNKNOWN_METHOD, span, message).suggest(likely).help(help),
                );
                // The rest is held against what was most likely meant.
                let meant = by.methods.iter().find(|method| Some(method.word) == likely);
                self.object(node, meant.map_or(by.otherwise, |method| &method.object), place);
            }
        }
    }

    fn by_key(&mut self, node: &Node, map: &Map, by: &ByKey, place: Place<'_>) {
        // A variant counts when its key has a value that it can have; failing that, when its key is there.
        let fits = |(key, object): &&(&'static str, Object)| {
            let field = object.field(key);
            map.get(key).is_some_and(|node| field.is_some_and(|field| accepts_kind(field.shape, node)))
        };
        let variant = by
            .variants
            .iter()
            .find(fits)
            .or_else(|| by.variants.iter().find(|(key, _)| map.get(key).is_some()));
        let object = variant.map(|(_, object)| object).or(by.otherwise);
        if let Some(object) = object {
            return self.object(node, object, place);
        }
        let keys: Vec<_> = by.variants.iter().map(|(key, _)| *key).collect();
        let near =
            map.iter().find_map(|entry| Some((entry, describe::likely(&entry.key, keys.iter().copied())?)));
        // The common keys of all variants are those of any one; what is not among them is the likely culprit.
        let is_common = |key: &str| by.variants.iter().any(|(_, object)| object.field(key).is_some());
        if let Some((entry, likely)) = near.filter(|(entry, _)| !is_common(&entry.key)) {
            let message =
                format!("unknown key `{}` in {}", describe::short(&entry.key), by.variants[0].1.name);
            let help = format!("did you mean `{likely}`?");
            self.push(
                diagnostic(place.cap, UNKNOWN_KEY, entry.key_span, message).suggest(Some(likely)).help(help),
            );
        } else if self.complete {
            let words: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            let message = format!("{} needs one of {}", by.variants[0].1.name, words.join(", "));
            self.push(diagnostic(place.cap, MISSING_KEY, anchor(node, place), message));
        }
    }

    /// A mapping with known keys.
    fn object(&mut self, node: &Node, object: &Object, place: Place<'_>) {
        if self.rules.is_assigned && object.name == language::MULTINODE.name {
            return;
        }
        let Some(map) = node.as_map() else {
            let span = if node.is_null() { place.key.unwrap_or(node.span) } else { node.span };
            let message = format!("{} must be a mapping", place.subject());
            let label = format!("this is {}", node.kind());
            return self.push(diagnostic(place.cap, WRONG_TYPE, span, message).label(label));
        };
        let mut absent: Vec<&'static Field> = object.fields().collect();
        let mut unknown = Vec::new();
        for entry in map {
            match object.field(&entry.key) {
                Some(field) => {
                    absent.retain(|other| other.key != field.key);
                    self.field(entry, field, place);
                }
                None => unknown.push(entry),
            }
        }
        for entry in unknown {
            // What was meant is told once, and not told to be missing too.
            if let Some(meant) = self.unknown(entry, &absent, object, place) {
                absent.retain(|field| field.key != meant);
            }
        }
        if object.name == language::ACTION.name {
            self.one_action(node, map);
        }
        // An entry of the model library says what LAVA's form has to say itself.
        let of_library = map.get("model").is_some()
            && object.fields().any(|field| field.key == "model" && field.origin == Origin::Extension);
        absent.retain(|field| !(of_library && field.needed == Needed::Strict));
        for field in absent.into_iter().filter(|field| self.complete && field.needed != Needed::No) {
            let cap = if field.needed == Needed::Submission { Severity::Error } else { Severity::Warning };
            let message = format!("`{}` is missing in {}", field.key, object.name);
            let place = place.capped(cap);
            self.told.add(
                diagnostic(place.cap, MISSING_KEY, anchor(node, place), message)
                    .help(format!("`{}`: {}", field.key, field.doc)),
            );
        }
    }

    fn field(&mut self, entry: &Entry, field: &Field, place: Place<'_>) {
        if field.origin == Origin::NotInStrict {
            let message = format!("LAVA reads `{}`, its strict schema refuses it", entry.key);
            self.push(Diagnostic::warning(codes::NOT_IN_STRICT, entry.key_span, message));
        }
        if field.key == "actions" && entry.value.as_seq().is_some_and(<[Node]>::is_empty) {
            let message = "the job has no actions and does nothing";
            self.push(Diagnostic::warning(codes::NO_ACTIONS, entry.key_span, message));
        }
        let place = place_of(entry, place);
        let cap = match field.loose {
            Loose::Nothing => Severity::Error,
            Loose::Everything => Severity::Warning,
            Loose::Like(shape) if self.fits(&entry.value, shape) => Severity::Warning,
            Loose::Like(shape) => {
                // Refused either way; the writer is told what is right, unless only the wider shape has its kind.
                let kind_is_wider =
                    !accepts_kind(field.shape, &entry.value) && accepts_kind(shape, &entry.value);
                return self.value(&entry.value, if kind_is_wider { shape } else { field.shape }, place);
            }
        };
        self.value(&entry.value, field.shape, place.capped(cap));
    }

    /// Reports a key that is not known and returns the one that was most likely meant, among those that are absent.
    fn unknown(
        &mut self,
        entry: &Entry,
        absent: &[&'static Field],
        object: &Object,
        place: Place<'_>,
    ) -> Option<&'static str> {
        let keys = absent.iter().map(|field| field.key);
        let cap = match object.unknown {
            Unknown::Refused => Severity::Error,
            // Only what most likely stands for a key that must be there.
            Unknown::Free => {
                let needed = absent.iter().filter(|field| field.needed != Needed::No);
                describe::likely(&entry.key, needed.map(|field| field.key))?;
                Severity::Warning
            }
            Unknown::Each(shape) if accepts_kind(*shape, &entry.value) => {
                self.value(&entry.value, *shape, place_of(entry, place));
                return None;
            }
            Unknown::Warned | Unknown::Each(_) => Severity::Warning,
        };
        // With so many mistakes it is no job; what was meant is not looked for.
        if self.told.is_full() && (self.told.has_errors || place.cap.min(cap) == Severity::Warning) {
            return None;
        }
        let likely = describe::likely(&entry.key, keys);
        // It stands for a key that submission misses.
        let meant = absent.iter().find(|field| Some(field.key) == likely);
        let is_needed = meant.is_some_and(|field| field.needed == Needed::Submission);
        let cap = if is_needed { Severity::Error } else { cap };
        let message = format!("unknown key `{}` in {}", describe::short(&entry.key), object.name);
        // What another method of the same block has is not told to belong here.
        let home = describe::home_of(&entry.key).filter(|home| *home != object.name);
        let help = match (likely, home) {
            (Some(likely), _) => format!("did you mean `{likely}`?"),
            (None, Some(home)) => format!("`{}` belongs in {home}", entry.key),
            (None, None) => format!("known here: {}", describe::keys(object)),
        };
        let cap = place.cap.min(cap);
        self.push(diagnostic(cap, UNKNOWN_KEY, entry.key_span, message).suggest(likely).help(help));
        likely
    }

    /// An item of `actions` has one action.
    fn one_action(&mut self, node: &Node, map: &Map) {
        let mut words = map.iter().filter(|entry| language::ACTION.field(&entry.key).is_some());
        let first = words.next();
        for entry in words {
            let message = format!("a second action, `{}`, in one item", entry.key);
            let mut diagnostic = Diagnostic::warning(codes::SEVERAL_ACTIONS, entry.key_span, message)
                .label("it is ignored")
                .help("begin it with a `- ` of its own");
            if let Some(first) = first {
                diagnostic = diagnostic.related(first.key_span, "this one is taken");
            }
            self.push(diagnostic);
        }
        if map.0.is_empty() {
            self.push(Diagnostic::warning(codes::SEVERAL_ACTIONS, node.span, "the item has no action"));
        }
    }
}

fn place_of<'n>(entry: &'n Entry, outer: Place<'_>) -> Place<'n> {
    Place { name: &entry.key, key: Some(entry.key_span), cap: outer.cap, is_item: false }
}

/// Where to say that something is missing in a mapping: at its key, else where it begins.
fn anchor(node: &Node, place: Place<'_>) -> Span {
    let first = node.as_map().and_then(|map| map.0.first()).map(|entry| entry.key_span);
    place.key.or(first).unwrap_or(node.span)
}

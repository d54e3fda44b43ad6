//! Shapes in words, and what can be told from the kind of a value alone.

use std::borrow::Cow;

use pumice_types::nearest;
use pumice_yaml::{Node, Value};

use crate::language::{self, ByWord, Object, Shape, Word};

/// A shape, to follow `must be`.
pub(crate) fn shape(shape: Shape) -> String {
    match shape {
        Shape::Anything => "anything".to_owned(),
        Shape::Text => "a text".to_owned(),
        Shape::Method(table) => format!("a {}", table.words().what),
        Shape::TextUpTo(usize::MAX) => "a text with at least one character".to_owned(),
        Shape::TextUpTo(most) => format!("a text of 1 to {most} characters"),
        Shape::Identifier => "a name of letters, digits, `-`, `_` and `.`".to_owned(),
        Shape::ContainerImage => {
            "the name of a container image, such as `registry.example/path/name:tag`".to_owned()
        }
        Shape::Whole(i64::MIN, _) => "a whole number".to_owned(),
        Shape::Whole(least, i64::MAX) => format!("a whole number, {least} or more"),
        Shape::Whole(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Seconds => "a number of seconds".to_owned(),
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Word(known) => words(known),
        Shape::Nullable(inner) | Shape::OneOrMore(inner) if matches!(shape, Shape::Nullable(_)) => {
            format!("{}, or nothing", self::shape(*inner))
        }
        Shape::Nullable(inner) | Shape::OneOrMore(inner) => {
            format!("{}, or a list of those", self::shape(*inner))
        }
        Shape::Timeout => "a timeout, such as `{minutes: 5}`".to_owned(),
        Shape::List(_) => "a list".to_owned(),
        Shape::NamedTimeouts
        | Shape::Mapping(_)
        | Shape::Known(..)
        | Shape::Object(_)
        | Shape::ByWord(_)
        | Shape::ByKey(_) => "a mapping".to_owned(),
        Shape::Either(shapes) => joined(shapes.iter().map(|shape| self::shape(*shape))),
    }
}

/// Words, to follow `must be`.
pub(super) fn words(words: &[Word]) -> String {
    joined(words.iter().map(|word| format!("`{}`", word.word)))
}

/// `a, b or c`
fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} or {last}", parts.join(", ")) }
}

/// The keys of an object, as many as are pleasant to read.
pub(super) fn keys(object: &Object) -> String {
    const MOST: usize = 12;
    let keys: Vec<_> = object.fields().map(|field| format!("`{}`", field.key)).collect();
    let more = if keys.len() > MOST { ", …" } else { "" };
    format!("{}{more}", keys[..keys.len().min(MOST)].join(", "))
}

/// The word that was most likely meant: one that was written to its end and a little further, the nearest one, or one
/// that was written in part.
pub(super) fn likely<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    const A_LITTLE: usize = 2;
    const A_PART: usize = 4;
    // Comparing takes the product of the lengths.
    const LONGEST: usize = 80;
    const MOST: usize = 200;
    if word.len() > LONGEST {
        return None;
    }
    let candidates = candidates.filter(|candidate| candidate.len() <= LONGEST).take(MOST);
    let overshot = |candidate: &&str| {
        candidate.len() > 1 && word.starts_with(*candidate) && word.len() - candidate.len() <= A_LITTLE
    };
    if let Some(found) = candidates.clone().filter(overshot).max_by_key(|candidate| candidate.len()) {
        return Some(found);
    }
    let begun = |candidate: &&str| word.len() >= A_PART && candidate.starts_with(word);
    nearest(word, candidates.clone())
        .or_else(|| candidates.filter(begun).min_by_key(|candidate| candidate.len()))
}

/// A text for a message: its first line, and not more of it than is pleasant to read.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &line[..end])),
        None if line.len() < text.len() => Cow::Owned(format!("{line}…")),
        None => Cow::Borrowed(text),
    }
}

/// A name in backticks, unless it is a phrase.
pub(super) fn quoted(name: &str) -> String {
    if name.contains(' ') { short(name).into_owned() } else { format!("`{}`", short(name)) }
}

/// Whether a text is what is wanted.
pub(super) fn wants_text(shape: Shape) -> bool {
    match shape {
        Shape::Text | Shape::TextUpTo(_) | Shape::Identifier | Shape::ContainerImage | Shape::Method(_) => {
            true
        }
        Shape::Nullable(inner) | Shape::OneOrMore(inner) => wants_text(*inner),
        _ => false,
    }
}

/// Whether a value is of the kind that a shape has, whatever is in it.
pub(crate) fn accepts_kind(shape: Shape, node: &Node) -> bool {
    match (shape, &node.value) {
        (Shape::Anything, _)
        | (Shape::Nullable(_), Value::Null)
        | (Shape::Boolean, Value::Bool(_))
        | (Shape::Whole(..), Value::Int(_) | Value::Bool(_))
        | (Shape::Seconds, Value::Int(_) | Value::Float(_))
        | (Shape::List(_) | Shape::OneOrMore(_), Value::Seq(_))
        | (
            Shape::Text
            | Shape::TextUpTo(_)
            | Shape::Identifier
            | Shape::ContainerImage
            | Shape::Word(_)
            | Shape::Method(_),
            Value::String(_),
        )
        | (
            Shape::Timeout
            | Shape::NamedTimeouts
            | Shape::Mapping(_)
            | Shape::Known(..)
            | Shape::Object(_)
            | Shape::ByWord(_)
            | Shape::ByKey(_),
            Value::Map(_),
        ) => true,
        (Shape::Nullable(inner) | Shape::OneOrMore(inner), _) => accepts_kind(*inner, node),
        (Shape::Either(shapes), _) => shapes.iter().any(|shape| accepts_kind(*shape, node)),
        _ => false,
    }
}

/// The timeout that somebody meant who wrote `180`, `3m` or `5 minutes`.
pub(super) fn timeout(value: &Value) -> Option<String> {
    const UNITS: [(&str, &str); 4] = [("s", "seconds"), ("m", "minutes"), ("h", "hours"), ("d", "days")];
    let text = match value {
        Value::Int(seconds @ 1..) => return Some(format!("{{seconds: {seconds}}}")),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (text[..end].parse::<u32>().ok()?, text[end..].trim());
    // As much of a unit's name as was written, `5 min` too.
    let known = UNITS.iter().find(|(short, name)| {
        unit.is_empty() || unit.eq_ignore_ascii_case(short) || (unit.len() > 1 && name.starts_with(unit))
    });
    known.map(|(_, name)| format!("{{{name}: {number}}}"))
}

/// Whether a text is a number in quotes, where a number would do and no such word is known.
pub(super) fn is_quoted_number(shapes: &[Shape], text: &str) -> bool {
    let is_known =
        |shape: &Shape| matches!(shape, Shape::Word(words) if words.iter().any(|word| word.word == text));
    text.parse::<i64>().is_ok()
        && shapes.iter().any(|shape| matches!(shape, Shape::Whole(..)))
        && !shapes.iter().any(|shape| is_known(shape) || wants_text(*shape))
}

/// The part of a job that has this key, when a key stands where it is not known.
pub(super) fn home_of(key: &str) -> Option<&'static str> {
    let blocks = [
        ("a job definition", language::JOB.field(key).is_some()),
        ("a boot block", language::BOOT.methods.iter().any(|method| method.object.field(key).is_some())),
        ("a deploy block", language::DEPLOY.methods.iter().any(|method| method.object.field(key).is_some())),
        ("a test block", language::TEST.variants.iter().any(|(_, object)| object.field(key).is_some())),
    ];
    let blocks = blocks.into_iter().chain([("an image that has `overlays`", language::with_overlays(key))]);
    blocks.into_iter().find(|(_, has)| *has).map(|(name, _)| name)
}

/// What to do without a board.
pub(super) fn instead_of_board(by: &ByWord) -> String {
    let words: Vec<_> = by
        .methods
        .iter()
        .filter(|method| method.runs_on == language::RunsOn::Virtual)
        .map(|method| format!("`{}`", method.word))
        .collect();
    let more = if by.key == "method" {
        "; a boot loader on a simulator's console is reached by `bootloader:` in one of those"
    } else {
        ""
    };
    format!("virtual platforms have {}{more}", words.join(", "))
}

/// `[registry[:port]/]path[:tag][@digest]`, the form that container engines take; lower case but for the tag.
pub(super) fn is_container_image(text: &str) -> bool {
    let (name, digest) = text.split_once('@').unwrap_or((text, "sha256:0"));
    let (path, tag) = match name.rfind(':') {
        Some(colon) if !name[colon..].contains('/') => (&name[..colon], &name[colon + 1..]),
        _ => (name, "latest"),
    };
    let is_part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let edge = |c: char| c.is_ascii_alphanumeric();
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(inner)
    };
    let is_tag = |tag: &str| !tag.is_empty() && tag.len() <= 128 && !tag.contains(|c: char| !is_word(c));
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (registry, rest) = path.split_once('/').map_or((None, path), |(first, rest)| (Some(first), rest));
    let (host, port) =
        registry.unwrap_or("localhost").split_once(':').unwrap_or((registry.unwrap_or("localhost"), "0"));
    let is_digest = |digest: &str| {
        digest
            .split_once(':')
            .is_some_and(|(kind, hex)| !kind.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()))
    };
    is_part(host) && is_port(port) && rest.split('/').all(is_part) && is_tag(tag) && is_digest(digest)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_images_are_told_from_other_texts() {
        for good in
            ["debian", "debian:12", "r.example:5000/a/b_c-d:1.0_x", "a/b@sha256:0123abcd", "a:b@sha256:12"]
        {
            assert!(is_container_image(good), "{good}");
        }
        for bad in ["", "Bad Image", "a b", "a:", "/a", "a//b", "a:b:c", "a@b", "-a", "a:b/"] {
            assert!(!is_container_image(bad), "{bad}");
        }
    }

    #[test]
    fn the_word_that_was_meant_is_found() {
        let meant = |word, candidates: &[&'static str]| likely(word, candidates.iter().copied());
        assert_eq!(meant("gzip", &["bz2", "gz", "zip", "zstd"]), Some("gz"));
        assert_eq!(meant("user", &["username", "password"]), Some("username"));
        assert_eq!(meant("minutes_x", &["minutes", "seconds"]), Some("minutes"));
        assert_eq!(meant("tiemout", &["timeout", "timeouts"]), Some("timeout"));
        assert_eq!(meant("xyzzy", &["timeout", "timeouts"]), None);
    }

    #[test]
    fn the_timeout_that_was_meant_is_written_out() {
        let check = |value: Value, expected: Option<&str>| {
            assert_eq!(timeout(&value).as_deref(), expected, "{value:?}");
        };
        check(Value::Int(180), Some("{seconds: 180}"));
        check(Value::Int(0), None);
        for (text, expected) in [
            ("3m", Some("{minutes: 3}")),
            ("5 minutes", Some("{minutes: 5}")),
            ("2 min", Some("{minutes: 2}")),
            ("90", Some("{seconds: 90}")),
            ("1h30m", None),
            ("soon", None),
        ] {
            check(Value::String(text.to_owned()), expected);
        }
    }

    #[test]
    fn shapes_read_as_sentences() {
        assert_eq!(shape(Shape::Whole(1, i64::MAX)), "a whole number, 1 or more");
        assert_eq!(shape(Shape::OneOrMore(&Shape::Text)), "a text, or a list of those");
        assert_eq!(shape(Shape::Nullable(&Shape::Text)), "a text, or nothing");
        assert_eq!(shape(Shape::Either(&[Shape::Text, Shape::Boolean])), "a text or `true` or `false`");
    }
}

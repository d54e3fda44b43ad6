//! Sets of characters: `.`, `[…]`, `\w` and their kind, over a stream of bytes.
//!
//! A console is not always UTF-8. A set that names the few it does *not* contain also matches one byte that is
//! part of no character.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir};

use super::{
    PatternError,
    escape::{Escape, escape},
    python::{Cursor, Flags},
};

/// A set of characters as trees.
pub(super) struct Characters {
    /// One of them.
    pub(super) once: Hir,
    /// What may stand under `*` and `+` instead: the same texts as single bytes, which makes a far smaller
    /// automaton. Only for sets with everything beyond ASCII in them.
    pub(super) any_number: Option<Hir>,
}

/// One character.
pub(super) fn one(character: char, ignore_case: bool) -> Characters {
    let once = if ignore_case {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
        class.case_fold_simple();
        Hir::class(Class::Unicode(class))
    } else {
        Hir::literal(character.encode_utf8(&mut [0; 4]).as_bytes())
    };
    Characters { once, any_number: None }
}

/// `.`, which leaves out the line feed unless `dot_all`.
pub(super) fn any(dot_all: bool) -> Characters {
    let excluded = if dot_all { ClassUnicode::empty() } else { set(&[('\n', '\n')]) };
    all_but(&excluded)
}

/// The set of a shorthand: `d`, `s`, `w`, and their opposites in capitals.
pub(super) fn shorthand(letter: char, ascii: bool) -> Characters {
    let named = shorthand_set(letter.to_ascii_lowercase(), ascii);
    if letter.is_ascii_uppercase() { all_but(&named) } else { listed(named) }
}

fn shorthand_set(letter: char, ascii: bool) -> ClassUnicode {
    match letter {
        'd' => set(&[('0', '9')]),
        // Python's `\s` has the four separators before the space too.
        's' => set(&[('\t', '\r'), ('\x1c', ' ')]),
        _ if ascii => set(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        _ => set(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'), ('\u{80}', char::MAX)]),
    }
}

fn set(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|&(start, end)| ClassUnicodeRange::new(start, end)))
}

fn listed(class: ClassUnicode) -> Characters {
    Characters { once: Hir::class(Class::Unicode(class)), any_number: None }
}

/// Everything but a set. A stray byte is included when everything beyond ASCII is; else the bytes of a character
/// that is left out would be taken for stray ones.
fn all_but(excluded: &ClassUnicode) -> Characters {
    let mut class = excluded.clone();
    class.negate();
    let characters = Hir::class(Class::Unicode(class));
    let Some(mut bytes) = excluded.to_byte_class().filter(ClassBytes::is_ascii) else {
        return Characters { once: characters, any_number: None };
    };
    bytes.negate();
    let stray = ClassBytes::new([ClassBytesRange::new(0x80, 0xff)]);
    Characters {
        once: Hir::alternation(vec![characters, Hir::class(Class::Bytes(stray))]),
        any_number: Some(Hir::class(Class::Bytes(bytes))),
    }
}

/// One entry of `[…]`.
enum Item {
    Character(char),
    Set(ClassUnicode),
}

/// The rest of a class after its `[`, which is at `start`.
pub(super) fn class(cursor: &mut Cursor<'_>, flags: Flags, start: usize) -> Result<Characters, PatternError> {
    let negated = cursor.eat("^");
    let mut class = ClassUnicode::empty();
    let mut is_first = true;
    loop {
        if cursor.peek() == Some(']') && !is_first {
            cursor.next();
            break;
        }
        is_first = false;
        let from = cursor.at;
        let first = item(cursor, flags, start)?;
        let has_range = cursor.peek() == Some('-') && !cursor.rest().starts_with("-]");
        if !has_range {
            match first {
                Item::Character(character) => class.push(ClassUnicodeRange::new(character, character)),
                Item::Set(set) => class.union(&set),
            }
            continue;
        }
        cursor.next();
        let last = item(cursor, flags, start)?;
        match (first, last) {
            (Item::Character(low), Item::Character(high)) if low <= high => {
                class.push(ClassUnicodeRange::new(low, high));
            }
            _ => {
                let range = cursor.text.get(from..cursor.at).unwrap_or_default();
                return Err(
                    cursor.error(from, format!("`{range}` is not a range; write `\\-` for the character"))
                );
            }
        }
    }
    if flags.ignore_case {
        class.case_fold_simple();
    }
    Ok(if negated { all_but(&class) } else { listed(class) })
}

fn item(cursor: &mut Cursor<'_>, flags: Flags, start: usize) -> Result<Item, PatternError> {
    let at = cursor.at;
    match cursor.next() {
        None => Err(cursor.error(start, "this `[` is not closed; write `\\[` for the character")),
        Some('\\') => {
            // Inside of a class these are not places.
            if cursor.eat("b") {
                return Ok(Item::Character('\x08'));
            }
            if let Some(letter @ ('d' | 's' | 'w' | 'D' | 'S' | 'W')) = cursor.peek() {
                cursor.next();
                let mut set = shorthand_set(letter.to_ascii_lowercase(), flags.ascii);
                if letter.is_ascii_uppercase() {
                    set.negate();
                }
                return Ok(Item::Set(set));
            }
            match escape(cursor, flags, at)? {
                Escape::Character(character) => Ok(Item::Character(character)),
                Escape::Place(_) | Escape::Characters(_) => {
                    Err(cursor.error(at, "this escape means nothing inside of `[…]`"))
                }
            }
        }
        Some(character) => Ok(Item::Character(character)),
    }
}

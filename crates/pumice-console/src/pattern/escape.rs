//! What follows a backslash in Python's patterns.

use regex_syntax::hir::Look;

use super::{
    PatternError,
    characters::{self, Characters},
    python::{Cursor, Flags},
};

/// What an escape stands for.
pub(super) enum Escape {
    /// One character.
    Character(char),
    /// One of a set.
    Characters(Characters),
    /// A place between characters.
    Place(Look),
}

/// The rest of an escape after its backslash, which is at `start`.
pub(super) fn escape(cursor: &mut Cursor<'_>, flags: Flags, start: usize) -> Result<Escape, PatternError> {
    let Some(letter) = cursor.next() else {
        return Err(cursor.error(start, "a backslash at the end escapes nothing; write `\\\\`"));
    };
    Ok(match letter {
        'A' => Escape::Place(Look::Start),
        'Z' | 'z' => Escape::Place(Look::End),
        'b' => Escape::Place(Look::WordAscii),
        'B' => Escape::Place(Look::WordAsciiNegate),
        'd' | 's' | 'w' | 'D' | 'S' | 'W' => Escape::Characters(characters::shorthand(letter, flags.ascii)),
        'a' => Escape::Character('\x07'),
        'f' => Escape::Character('\x0c'),
        'n' => Escape::Character('\n'),
        'r' => Escape::Character('\r'),
        't' => Escape::Character('\t'),
        'v' => Escape::Character('\x0b'),
        'x' => Escape::Character(hexadecimal(cursor, start, 2)?),
        'u' => Escape::Character(hexadecimal(cursor, start, 4)?),
        'U' => Escape::Character(hexadecimal(cursor, start, 8)?),
        '0'..='9' => Escape::Character(octal(cursor, letter, start)?),
        'N' => return Err(cursor.error(start, "cannot name a character, `\\N{…}`; write the character")),
        _ if letter.is_ascii_alphabetic() => {
            return Err(cursor
                .error(start, format!("`\\{letter}` means nothing; write `\\\\{letter}` or `{letter}`")));
        }
        _ => Escape::Character(letter),
    })
}

fn hexadecimal(cursor: &mut Cursor<'_>, start: usize, length: usize) -> Result<char, PatternError> {
    let digits: String = cursor.rest().chars().take(length).take_while(char::is_ascii_hexdigit).collect();
    cursor.at += digits.len();
    let character = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
    match character {
        Some(character) if digits.len() == length => Ok(character),
        Some(_) | None => {
            Err(cursor.error(start, format!("an escape of {length} hexadecimal digits names a character")))
        }
    }
}

/// `\0`, `\012`, `\377`: octal when it begins with 0 or has three octal digits; else a backreference.
fn octal(cursor: &mut Cursor<'_>, first: char, start: usize) -> Result<char, PatternError> {
    let more: String = cursor.rest().chars().take(2).take_while(|c| ('0'..='7').contains(c)).collect();
    if first != '0' && (more.len() < 2 || first > '7') {
        return Err(cursor.error(
            start,
            format!("`\\{first}` matches what a group matched before; write out what it may be"),
        ));
    }
    cursor.at += more.len();
    let value = u32::from_str_radix(&format!("{first}{more}"), 8).unwrap_or(u32::MAX);
    match char::from_u32(value) {
        Some(character) if value <= 0o377 => Ok(character),
        _ => Err(cursor.error(start, "an octal escape is at most `\\377`")),
    }
}

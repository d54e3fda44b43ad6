//! Reads Python's regular expressions (the `re` module, section "Regular Expression Syntax" of Python's
//! library reference) into the tree that regex-automata compiles.

use regex_syntax::hir::{Capture, Hir, Look, Repetition};

use super::{
    PatternError,
    characters::{self, Characters},
    escape::{Escape, escape},
};

/// How deep groups may nest. Python has no limit of its own below its stack's.
const DEPTH_LIMIT: usize = 100;

/// What the flags of `re` change here.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) ascii: bool,
    multi_line: bool,
    dot_all: bool,
    verbose: bool,
}

/// A tree, and the names of its groups, the whole match being the first.
type Parsed = (Hir, Vec<Option<String>>);

pub(super) fn parse(text: &str) -> Result<Parsed, PatternError> {
    let flags = Flags { ignore_case: false, ascii: false, multi_line: false, dot_all: true, verbose: false };
    let mut parser = Parser { cursor: Cursor { text, at: 0 }, flags, names: vec![None], depth: 0 };
    parser.global_flags()?;
    let tree = parser.alternation()?;
    if parser.cursor.at < text.len() {
        return Err(parser.cursor.error(parser.cursor.at, "this `)` closes nothing; write `\\)`"));
    }
    Ok((tree, parser.names))
}

/// A place in the pattern's text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Takes characters while they are wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let taken: String = self.rest().chars().take_while(|&found| wanted(found)).collect();
        self.at += taken.len();
        taken
    }

    #[expect(clippy::unused_self, reason = "reads as what it is at the places of use")]
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> PatternError {
        PatternError { message: message.into(), offset }
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    flags: Flags,
    names: Vec<Option<String>>,
    depth: usize,
}

/// One thing that a repetition may follow.
enum Atom {
    Characters(Characters),
    Group(Hir),
    /// A place, not a text: `^`, `\b`. Python refuses to repeat it.
    Place(Hir),
}

impl Parser<'_> {
    /// `(?imsx)` at the very start holds for the whole pattern.
    fn global_flags(&mut self) -> Result<(), PatternError> {
        while self.cursor.rest().starts_with("(?") {
            let before = self.cursor.at;
            self.cursor.at += 2;
            let letters = self.cursor.take_while(|c| c.is_ascii_alphabetic());
            if letters.is_empty() || letters.starts_with('P') || !self.cursor.eat(")") {
                self.cursor.at = before;
                return Ok(());
            }
            self.flags = self.with_flags(&letters, true, before)?;
        }
        Ok(())
    }

    fn with_flags(&self, letters: &str, on: bool, offset: usize) -> Result<Flags, PatternError> {
        let mut flags = self.flags;
        for letter in letters.chars() {
            match letter {
                'i' => flags.ignore_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_all = on,
                'x' => flags.verbose = on,
                'a' if on => flags.ascii = true,
                'u' if on => flags.ascii = false,
                _ => return Err(self.cursor.error(offset, format!("there is no flag `{letter}` here"))),
            }
        }
        Ok(flags)
    }

    fn alternation(&mut self) -> Result<Hir, PatternError> {
        let mut branches = vec![self.concatenation()?];
        while self.cursor.eat("|") {
            branches.push(self.concatenation()?);
        }
        Ok(Hir::alternation(branches))
    }

    fn concatenation(&mut self) -> Result<Hir, PatternError> {
        let mut parts = Vec::new();
        loop {
            self.skip_comments()?;
            match self.cursor.peek() {
                None | Some('|' | ')') => return Ok(Hir::concat(parts)),
                Some(_) => {
                    let atom = self.atom()?;
                    parts.push(self.repeated(atom)?);
                }
            }
        }
    }

    /// Passes over `(?#…)`, and under the flag `x` over white space and `# …` too.
    fn skip_comments(&mut self) -> Result<(), PatternError> {
        loop {
            let before = self.cursor.at;
            if self.cursor.eat("(?#") {
                self.cursor.take_while(|c| c != ')');
                if !self.cursor.eat(")") {
                    return Err(self.cursor.error(before, "this comment has no end: `)`"));
                }
            }
            if self.flags.verbose {
                self.cursor.take_while(|c| c.is_ascii_whitespace());
                if self.cursor.peek() == Some('#') {
                    self.cursor.take_while(|c| c != '\n');
                }
            }
            if self.cursor.at == before {
                return Ok(());
            }
        }
    }

    fn atom(&mut self) -> Result<Atom, PatternError> {
        let start = self.cursor.at;
        Ok(match self.cursor.next() {
            None => Atom::Group(Hir::empty()),
            Some('.') => Atom::Characters(characters::any(self.flags.dot_all)),
            Some('^') => {
                Atom::Place(Hir::look(if self.flags.multi_line { Look::StartLF } else { Look::Start }))
            }
            Some('$') => Atom::Place(Hir::look(Look::EndLF)),
            Some('[') => Atom::Characters(characters::class(&mut self.cursor, self.flags, start)?),
            Some('(') => self.group(start)?,
            Some('\\') => match escape(&mut self.cursor, self.flags, start)? {
                Escape::Place(look) => Atom::Place(Hir::look(look)),
                Escape::Characters(characters) => Atom::Characters(characters),
                Escape::Character(character) => {
                    Atom::Characters(characters::one(character, self.flags.ignore_case))
                }
            },
            Some(character @ ('*' | '+' | '?' | '{')) => {
                self.cursor.at = start;
                if self.bounds()?.is_some() {
                    let message = format!("nothing to repeat; write `\\{character}` for the character");
                    return Err(self.cursor.error(start, message));
                }
                // Braces that are no repetition.
                self.cursor.at = start + 1;
                Atom::Characters(characters::one(character, self.flags.ignore_case))
            }
            Some(character) => Atom::Characters(characters::one(character, self.flags.ignore_case)),
        })
    }

    fn group(&mut self, start: usize) -> Result<Atom, PatternError> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(self.cursor.error(start, format!("groups nest deeper than {DEPTH_LIMIT}")));
        }
        let flags = self.flags;
        let atom = if self.cursor.eat("?") { self.extension(start)? } else { self.capture(None, start)? };
        self.flags = flags;
        self.depth -= 1;
        Ok(atom)
    }

    /// What follows `(?`.
    fn extension(&mut self, start: usize) -> Result<Atom, PatternError> {
        let refuse = |message: &str| Err(PatternError { message: message.into(), offset: start });
        if self.cursor.eat("P<") {
            let name = self.cursor.take_while(|c| c != '>' && c != ')');
            if !self.cursor.eat(">") {
                return refuse("the name of a group ends with `>`");
            }
            return self.capture(Some(self.checked_name(name, start)?), start);
        }
        if self.cursor.eat("P=") {
            return refuse("`(?P=name)` matches what a group matched before; write out what it may be");
        }
        if self.cursor.eat("<=") || self.cursor.eat("<!") {
            return refuse(
                "cannot look back, `(?<=…)` and `(?<!…)`; write what stands before into the pattern, and put \
                 what you want of the match into a group",
            );
        }
        if self.cursor.eat("=") || self.cursor.eat("!") {
            return refuse(
                "cannot look ahead, `(?=…)` and `(?!…)`; write what follows into the pattern, or the \
                 characters it may be as `[^…]`",
            );
        }
        if self.cursor.eat(">") {
            return refuse("cannot hold on to a first try, `(?>…)`; write `(?:…)`");
        }
        if self.cursor.eat("(") {
            return refuse("cannot decide by a group, `(?(…)…|…)`; write the two cases with `|`");
        }
        let on = self.cursor.take_while(|c| c.is_ascii_alphabetic());
        let off = if self.cursor.eat("-") {
            self.cursor.take_while(|c| c.is_ascii_alphabetic())
        } else {
            String::new()
        };
        if !self.cursor.eat(":") {
            if self.cursor.peek() == Some(')') && !on.is_empty() {
                return refuse("flags for the whole pattern stand at its start; write `(?i:…)` for a part");
            }
            return refuse("this is no extension that Python's patterns have");
        }
        self.flags = self.with_flags(&on, true, start)?;
        self.flags = self.with_flags(&off, false, start)?;
        let tree = self.alternation()?;
        self.close(start)?;
        Ok(Atom::Group(tree))
    }

    fn checked_name(&self, name: String, start: usize) -> Result<String, PatternError> {
        let mut letters = name.chars();
        let is_name = letters.next().is_some_and(|c| c == '_' || c.is_alphabetic())
            && letters.all(|c| c == '_' || c.is_alphanumeric());
        if !is_name {
            return Err(self.cursor.error(start, format!("`{name}` is not a name for a group")));
        }
        if self.names.iter().flatten().any(|other| *other == name) {
            return Err(self.cursor.error(start, format!("two groups are named `{name}`")));
        }
        Ok(name)
    }

    fn capture(&mut self, name: Option<String>, start: usize) -> Result<Atom, PatternError> {
        let index = u32::try_from(self.names.len())
            .map_err(|_| self.cursor.error(start, "there are too many groups"))?;
        self.names.push(name.clone());
        let sub = Box::new(self.alternation()?);
        self.close(start)?;
        Ok(Atom::Group(Hir::capture(Capture { index, name: name.map(String::into_boxed_str), sub })))
    }

    fn close(&mut self, start: usize) -> Result<(), PatternError> {
        if self.cursor.eat(")") {
            return Ok(());
        }
        Err(self.cursor.error(start, "this `(` is not closed; write `\\(` for the character"))
    }

    /// The repetition that may follow an atom.
    fn repeated(&mut self, atom: Atom) -> Result<Hir, PatternError> {
        self.skip_comments()?;
        let start = self.cursor.at;
        let Some((min, max)) = self.bounds()? else {
            return Ok(match atom {
                Atom::Characters(characters) => characters.once,
                Atom::Group(tree) | Atom::Place(tree) => tree,
            });
        };
        let greedy = !self.cursor.eat("?");
        if greedy && self.cursor.eat("+") {
            return Err(self
                .cursor
                .error(start, "cannot repeat without giving back, `…++`; leave out the second `+`"));
        }
        let again = self.cursor.at;
        if self.bounds()?.is_some() {
            return Err(self
                .cursor
                .error(again, "a repetition follows a repetition; put the first into `(?:…)`"));
        }
        let sub = match atom {
            Atom::Characters(Characters { any_number: Some(bytes), .. }) if max.is_none() && min <= 1 => {
                bytes
            }
            Atom::Characters(characters) => characters.once,
            Atom::Group(tree) => tree,
            Atom::Place(_) => return Err(self.cursor.error(start, "nothing to repeat")),
        };
        Ok(Hir::repetition(Repetition { min, max, greedy, sub: Box::new(sub) }))
    }

    /// `*`, `+`, `?`, `{m}`, `{m,}`, `{,n}`, `{m,n}`. Braces that are none of these are characters.
    fn bounds(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let start = self.cursor.at;
        match self.cursor.peek() {
            Some('*') => self.cursor.at += 1,
            Some('+') => {
                self.cursor.at += 1;
                return Ok(Some((1, None)));
            }
            Some('?') => {
                self.cursor.at += 1;
                return Ok(Some((0, Some(1))));
            }
            Some('{') => {
                self.cursor.at += 1;
                let low = self.cursor.take_while(|c| c.is_ascii_digit());
                let has_comma = self.cursor.eat(",");
                let high =
                    if has_comma { self.cursor.take_while(|c| c.is_ascii_digit()) } else { low.clone() };
                if (low.is_empty() && !has_comma) || !self.cursor.eat("}") {
                    self.cursor.at = start;
                    return Ok(None);
                }
                let number = |digits: &str, absent: Option<u32>| {
                    if digits.is_empty() { Ok(absent) } else { digits.parse().map(Some) }
                };
                let too_large = |_| self.cursor.error(start, "this repeats more often than any pattern may");
                let min = number(&low, Some(0)).map_err(too_large)?.unwrap_or(0);
                let max = number(&high, None).map_err(too_large)?;
                if max.is_some_and(|max| max < min) {
                    return Err(self.cursor.error(start, "the first number is larger than the second"));
                }
                return Ok(Some((min, max)));
            }
            _ => return Ok(None),
        }
        Ok(Some((0, None)))
    }
}

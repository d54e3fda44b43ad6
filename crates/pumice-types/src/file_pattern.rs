//! Patterns for files inside an image, as a shell would read them: jobs have them, and readers of images look by them.

use core::{fmt, str::FromStr};

/// A path or a pattern: `*` and `?` stand for characters of one name, `[a-z]` for one of a set (`[!…]` for
/// one that is not), `**` for any number of directories. With a `/` in it the pattern begins at the root of
/// the file system; without one it is a file's name, wherever the file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePattern {
    text: String,
    names: Vec<Name>,
}

/// One component.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// `**`.
    AnyDirectories,
    /// Everything else.
    Tokens(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    One,
    Many,
    Set { is_negated: bool, ranges: Vec<(char, char)> },
}

/// The text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFilePattern {
    text: String,
    why: &'static str,
}

impl fmt::Display for InvalidFilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a path or pattern in an image: {}", self.text, self.why)
    }
}

impl core::error::Error for InvalidFilePattern {}

/// How upper and lower case compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterCase {
    /// They differ, as in ext4.
    Sensitive,
    /// They are the same, as in FAT.
    Insensitive,
}

/// The longest pattern taken, in bytes; a path is not longer.
const LONGEST: usize = 4096;

impl FromStr for FilePattern {
    type Err = InvalidFilePattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |why| InvalidFilePattern { text: text.chars().take(100).collect(), why };
        if text.len() > LONGEST {
            return Err(invalid("it is too long"));
        }
        let mut names = Vec::new();
        if !text.contains('/') {
            names.push(Name::AnyDirectories);
        }
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => return Err(invalid("`..` leads nowhere in it")),
                "**" => names.push(Name::AnyDirectories),
                name => names.push(Name::Tokens(tokens(name).map_err(invalid)?)),
            }
        }
        if matches!(names.last(), None | Some(Name::AnyDirectories)) {
            return Err(invalid("it names no file"));
        }
        Ok(Self { text: text.to_owned(), names })
    }
}

fn tokens(name: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = name.chars().peekable();
    while let Some(first) = rest.next() {
        tokens.push(match first {
            '?' => Token::One,
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '[' => {
                let is_negated = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
                let mut ranges = Vec::new();
                loop {
                    let low = match rest.next() {
                        // A `]` that comes first stands for itself.
                        Some(']') if !ranges.is_empty() => break,
                        Some(low) => low,
                        None => return Err("a `[` is never closed"),
                    };
                    let is_range = rest.peek() == Some(&'-') && {
                        let mut ahead = rest.clone();
                        ahead.next();
                        ahead.next().is_some_and(|high| high != ']')
                    };
                    let high = if is_range { rest.nth(1).unwrap_or(low) } else { low };
                    ranges.push((low, high));
                }
                Token::Set { is_negated, ranges }
            }
            '\\' => Token::Literal(rest.next().ok_or("a `\\` stands at the end")?),
            other => Token::Literal(other),
        });
    }
    Ok(tokens)
}

impl FilePattern {
    /// Whether the file at `path`, with or without a leading `/`, is meant.
    pub fn matches(&self, path: &str, case: LetterCase) -> bool {
        let path: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        matches_path(&self.names, &path, case)
    }

    /// The path, if the pattern is one: no character of it stands for others.
    pub fn as_path(&self) -> Option<String> {
        let mut path = String::new();
        for name in &self.names {
            let Name::Tokens(tokens) = name else { return None };
            path.push('/');
            for token in tokens {
                let Token::Literal(character) = token else { return None };
                path.push(*character);
            }
        }
        Some(path)
    }

    /// Whether a directory at `path` may hold what is meant, so that it is worth a look.
    pub fn may_be_below(&self, path: &str, case: LetterCase) -> bool {
        let path: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        for (index, directory) in path.iter().enumerate() {
            match self.names.get(index) {
                Some(Name::AnyDirectories) => return true,
                Some(Name::Tokens(tokens)) if matches_name(tokens, directory, case) => {}
                _ => return false,
            }
        }
        path.len() < self.names.len()
    }
}

impl fmt::Display for FilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Matches whole paths. Works backwards through a table, so that no pattern takes more than its length times
/// that of the path.
fn matches_path(names: &[Name], path: &[&str], case: LetterCase) -> bool {
    // `after[i]`: whether the names looked at so far match `path[i..]`.
    let mut after: Vec<bool> = (0..=path.len()).map(|index| index == path.len()).collect();
    for name in names.iter().rev() {
        let mut before = vec![false; path.len() + 1];
        for index in (0..=path.len()).rev() {
            before[index] = match name {
                Name::AnyDirectories => after[index] || (index < path.len() && before[index + 1]),
                Name::Tokens(tokens) => {
                    index < path.len() && after[index + 1] && matches_name(tokens, path[index], case)
                }
            };
        }
        after = before;
    }
    after[0]
}

/// Matches one name, in the same way.
fn matches_name(tokens: &[Token], name: &str, case: LetterCase) -> bool {
    let fold = |c: char| match case {
        LetterCase::Sensitive => c,
        LetterCase::Insensitive => c.to_lowercase().next().unwrap_or(c),
    };
    let name: Vec<char> = name.chars().map(fold).collect();
    let mut after: Vec<bool> = (0..=name.len()).map(|index| index == name.len()).collect();
    for token in tokens.iter().rev() {
        let mut before = vec![false; name.len() + 1];
        for index in (0..=name.len()).rev() {
            let is_one = |accepts: &dyn Fn(char) -> bool| {
                index < name.len() && after[index + 1] && accepts(name[index])
            };
            before[index] = match token {
                Token::Literal(wanted) => is_one(&|c| c == fold(*wanted)),
                Token::One => is_one(&|_| true),
                Token::Many => after[index] || (index < name.len() && before[index + 1]),
                Token::Set { is_negated, ranges } => is_one(&|c| {
                    ranges.iter().any(|(low, high)| (fold(*low)..=fold(*high)).contains(&c)) != *is_negated
                }),
            };
        }
        after = before;
    }
    after[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: bool) {
        let pattern: FilePattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(path, LetterCase::Sensitive), expected, "`{pattern}` and `{path}`");
        if expected && let Some((directory, _)) = path.rsplit_once('/') {
            assert!(
                pattern.may_be_below(directory, LetterCase::Sensitive),
                "`{pattern}` below `{directory}`"
            );
        }
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        check("/boot/vmlinuz-*", "/boot/vmlinuz-6.1", true);
        check("/boot/vmlinuz-*", "/boot/old/vmlinuz-6.1", false);
        check("boot/*/x", "/boot/a/x", true);
        check("*.dtb", "/boot/dtbs/vexpress.dtb", true);
        check("*.dtb", "/a.dtb", true);
        check("/**/*.dtb", "/boot/dtbs/a.dtb", true);
        check("/boot/**/a", "/boot/a", true);
        check("/boot/**/a", "/a", false);
        check("rtsm_ve-??_[a-c0-9].dtb", "/rtsm_ve-cd_5.dtb", true);
        check("[!a]x", "/ax", false);
        check("[]-]x", "/-x", true);
        check(r"\*", "/*", true);
        check(r"\*", "/a", false);
        check("a*b*c", "/abbbcbc", true);
    }

    #[test]
    fn case_counts_where_the_file_system_says_so() {
        let pattern: FilePattern = "/EFI/*.efi".parse().unwrap();
        assert!(pattern.matches("/efi/BOOTAA64.EFI", LetterCase::Insensitive));
        assert!(!pattern.matches("/efi/BOOTAA64.EFI", LetterCase::Sensitive));
    }

    #[test]
    fn a_pattern_that_costs_others_exponential_time_costs_us_none() {
        let pattern: FilePattern = format!("{}b", "*a".repeat(200)).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(2000), LetterCase::Sensitive));
    }

    #[test]
    fn directories_that_cannot_hold_it_are_not_looked_at() {
        let below = |pattern: &str, path: &str| {
            pattern.parse::<FilePattern>().unwrap().may_be_below(path, LetterCase::Sensitive)
        };
        assert!(below("/boot/x", "/") && below("/boot/x", "/boot") && below("x", "/any/where"));
        assert!(!below("/boot/x", "/usr") && !below("/boot/x", "/boot/x"));
    }

    #[test]
    fn a_path_is_told_from_a_pattern() {
        let path = |text: &str| text.parse::<FilePattern>().unwrap().as_path();
        assert_eq!(path("boot/zImage").as_deref(), Some("/boot/zImage"));
        assert_eq!(path("zImage"), None);
        assert_eq!(path("/boot/*"), None);
    }

    #[test]
    fn what_is_no_pattern_is_said_so() {
        for bad in ["", "/a/**", "a/../b", "[a", "\\", "**"] {
            assert!(bad.parse::<FilePattern>().is_err(), "{bad}");
        }
    }
}

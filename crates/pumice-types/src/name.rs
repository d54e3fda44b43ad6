//! Names that become paths, arguments or URLs, and so may hold only harmless characters.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A name of 1 to 200 letters, digits, `-`, `_`, `.`, `+` and `@`, that does not begin with `.` or `-`: safe
/// as one component of a path and as one argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName(String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a name: use 1 to 200 letters, digits, `-`, `_`, `.`, `+` or `@`, and begin with a \
             letter, a digit or `_`",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for InvalidName {}

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
        let starts = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.len() <= 200 && text.starts_with(starts) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(text.chars().take(60).collect()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_directory_or_look_like_an_option() {
        for good in ["a", "A15x1", "FVP_Base_RevC-2xAEMvA", "_x", "0.1+2@h"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "..", ".x", "-rf", "a/b", "a b", "a\n", "é", &"x".repeat(201)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}

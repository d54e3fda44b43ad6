//! Where a file stands in a tree.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt, path::Path};

/// The longest path Linux takes, without the closing NUL (`PATH_MAX`, include/uapi/linux/limits.h).
const LONGEST_PATH: usize = 4095;
/// The longest component (`NAME_MAX`).
const LONGEST_NAME: usize = 255;

/// A path below the root of a tree, as bytes: no leading `/`, no empty, `.` or `..` component. It cannot name
/// anything outside the tree.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreePath(Box<[u8]>);

/// The text cannot be a path in a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreePathError {
    /// Nothing is left once `/` and `.` are taken away.
    #[error("the path `{0}` names the root and not a file in it")]
    Root(String),
    /// It climbs.
    #[error("the path `{0}` leaves its tree through `..`")]
    Escape(String),
    /// It holds a NUL byte.
    #[error("the path `{0}` holds a NUL byte")]
    Nul(String),
    /// It is longer than the kernel takes.
    #[error("the path `{0}…` is too long: at most {LONGEST_PATH} bytes, {LONGEST_NAME} a component")]
    TooLong(String),
}

impl TreePath {
    /// Reads a path; a leading `/` or `./` and doubled slashes mean nothing and are left out.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, TreePathError> {
        let given = path.as_ref();
        let shown = || String::from_utf8_lossy(&given[..given.len().min(200)]).escape_debug().to_string();
        if given.contains(&0) {
            return Err(TreePathError::Nul(shown()));
        }
        let mut clean = Vec::with_capacity(given.len());
        for name in given.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => continue,
                b".." => return Err(TreePathError::Escape(shown())),
                _ if name.len() > LONGEST_NAME => return Err(TreePathError::TooLong(shown())),
                _ => {}
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(name);
        }
        match clean.len() {
            0 => Err(TreePathError::Root(shown())),
            1..=LONGEST_PATH => Ok(Self(clean.into())),
            _ => Err(TreePathError::TooLong(shown())),
        }
    }

    /// The bytes, without a leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a relative path of the host.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The directory it stands in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|byte| *byte == b'/')?;
        Some(Self(self.0[..slash].into()))
    }

    /// The last component.
    pub fn name(&self) -> &[u8] {
        let start = self.0.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        &self.0[start..]
    }

    /// The components, from the root down.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/')
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0).escape_debug())
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl TryFrom<&str> for TreePath {
    type Error = TreePathError;

    fn try_from(path: &str) -> Result<Self, Self::Error> {
        Self::new(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: Result<&str, &str>) {
        let path = TreePath::new(given);
        let shown = path.as_ref().map(ToString::to_string).map_err(ToString::to_string);
        assert_eq!(shown.as_ref().map(String::as_str).map_err(String::as_str), expected);
    }

    #[test]
    fn a_path_stays_in_its_tree() {
        check("/etc//./passwd", Ok("/etc/passwd"));
        check("./a", Ok("/a"));
        check("a/..b/...", Ok("/a/..b/..."));
        check("a/../../b", Err("the path `a/../../b` leaves its tree through `..`"));
        check("/./", Err("the path `/./` names the root and not a file in it"));
        check("a\0b", Err("the path `a\\0b` holds a NUL byte"));
        assert!(TreePath::new("x".repeat(256)).is_err());
        assert!(TreePath::new("x/".repeat(3000)).is_err());
    }

    #[test]
    fn parent_and_name_are_the_two_halves() {
        let path = TreePath::new("usr/lib/x").unwrap();
        assert_eq!(path.parent(), Some(TreePath::new("usr/lib").unwrap()));
        assert_eq!(path.name(), b"x");
        assert_eq!(TreePath::new("usr").unwrap().parent(), None);
    }
}

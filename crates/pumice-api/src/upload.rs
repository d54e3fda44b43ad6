//! Files that people send for their jobs: content-addressed, in pieces, through LAVA's REST API (`docs/protocol/rest.md`).
//!
//! A job names such a file as [`UploadUrl`]; the server puts an address with a capability in its place when it gives the
//! job to a worker, so that what is kept of a job holds no secret and no address that may change.

use std::{fmt, str::FromStr};

use pumice_types::Name;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most bytes of one piece.
pub const UPLOAD_PIECE_BYTES: usize = 4 << 20;

/// How far the sending of a file is, `GET` and `PUT uploads/SHA256/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// SHA-256 of the whole file, in lower-case hexadecimal.
    pub sha256: String,
    /// What it was called where it came from.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How many of them the server has and will not lose; the next piece begins here.
    pub offset: u64,
    /// Whether it is whole and its digest was right.
    pub complete: bool,
    /// When it was begun, RFC 3339.
    pub created: String,
    /// When it is removed, unless a job names it again or one that names it has not ended; RFC 3339.
    pub expires: String,
}

/// How a job names a file that was sent to the server: `upload://SHA256/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadUrl {
    sha256: String,
    name: Name,
}

/// The text is no [`UploadUrl`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` does not name an upload: `upload://`, 64 hexadecimal digits, a slash and a name are wanted")]
pub struct InvalidUploadUrl(String);

/// What an [`UploadUrl`] begins with.
const SCHEME: &str = "upload://";

impl UploadUrl {
    /// Names the file of that digest. Letters of `file_name` that a name cannot have become `_`; of a long one the end stays,
    /// where a suffix says how it is compressed. `None` when `sha256` is no digest.
    pub fn new(sha256: &str, file_name: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
        let plain: String = file_name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        let tail = plain.get(plain.len().saturating_sub(190)..).unwrap_or_default();
        let name = tail.parse().or_else(|_| format!("_{tail}").parse()).ok()?;
        is_digest(sha256).then(|| Self { sha256: sha256.to_owned(), name })
    }

    /// SHA-256 of the file, in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The file's name.
    pub fn name(&self) -> &Name {
        &self.name
    }
}

impl FromStr for UploadUrl {
    type Err = InvalidUploadUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/'));
        let read = parts
            .filter(|(sha256, _)| is_digest(sha256))
            .and_then(|(sha256, name)| Some(Self { sha256: sha256.to_owned(), name: name.parse().ok()? }));
        read.ok_or_else(|| InvalidUploadUrl(text.chars().take(120).collect()))
    }
}

impl fmt::Display for UploadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.sha256, self.name)
    }
}

/// Whether a text is a SHA-256 in lower-case hexadecimal.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn a_file_is_named_by_digest_and_name_whatever_it_is_called() {
        let check = |file_name: &str, expected: &str| {
            let url = UploadUrl::new(DIGEST, file_name).unwrap();
            assert_eq!(url.to_string(), format!("upload://{DIGEST}/{expected}"));
            assert_eq!(url.to_string().parse(), Ok(url));
        };
        check("zImage", "zImage");
        check("a kernel (é).tar.gz", "a_kernel____.tar.gz");
        check(".config", "_.config");
        check("", "_");
        let long = format!("{}.tar.xz", "x".repeat(300));
        assert!(UploadUrl::new(DIGEST, &long).unwrap().name().as_str().ends_with("x.tar.xz"));
        assert_eq!(UploadUrl::new("abc", "zImage"), None);
    }

    #[test]
    fn what_only_looks_like_one_is_refused() {
        for wrong in [
            "upload://abc/zImage".to_owned(),
            format!("upload://{DIGEST}"),
            format!("upload://{DIGEST}/../etc/passwd"),
            format!("upload://{}/zImage", DIGEST.to_uppercase()),
            format!("http://{DIGEST}/zImage"),
        ] {
            assert!(wrong.parse::<UploadUrl>().is_err(), "{wrong}");
        }
    }
}

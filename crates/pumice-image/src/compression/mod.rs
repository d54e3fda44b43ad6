//! Compression: told by name or by the first bytes, undone while streaming, within bounds.

mod decode;
mod encode;
mod zip;

use std::{fmt, str::FromStr};

use pumice_types::{Blame, Cause};

use crate::cause;
pub use decode::{decode, decode_member};
pub use encode::{Encoder, encode};
pub use zip::unzip;

/// How a file is packed. The names are those of a LAVA job (lava-compat 1.5) and the magic numbers those of
/// each format's own document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// xz (The .xz File Format 1.2.1).
    Xz,
    /// bzip2.
    Bzip2,
    /// Zstandard (RFC 8878).
    Zstd,
    /// A zip archive of which one member is meant (APPNOTE 6.3.10).
    Zip,
}

/// The text is not the name of a compression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a compression we know; write `gz`, `xz`, `bz2`, `zstd` or `zip`")]
pub struct UnknownCompression(String);

/// A packed file cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The bytes are not what the job says.
    #[error("it is not {expected} data: it begins with {found}")]
    NotPacked {
        /// What was expected.
        expected: Compression,
        /// The first bytes, printable.
        found: String,
    },
    /// The bytes are damaged, end too early or are too many.
    #[error("failed to unpack {0} data")]
    Damaged(Compression, #[source] std::io::Error),
    /// A zip archive with several members, none of which is meant.
    #[error("the zip archive holds {} files and none is named `{wanted}`: {}", members.len(), shorten(members))]
    Members {
        /// The name looked for.
        wanted: String,
        /// The names that are there.
        members: Vec<String>,
    },
    /// A zip archive with nothing in it.
    #[error("the zip archive holds no file")]
    Empty,
}

impl Blame for UnpackError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Damaged(_, source) => cause::of_io(source),
            _ => Cause::ImageUnusable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotPacked { .. } => {
                Some("correct or remove `compression` in the job, or look at what the URL gives".to_owned())
            }
            Self::Members { .. } => {
                Some("publish the file by itself, or name the archive as its member plus `.zip`".to_owned())
            }
            _ => None,
        }
    }
}

/// A few names of many.
fn shorten(names: &[String]) -> String {
    let mut text = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 8 {
        text.push_str(", …");
    }
    text
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gzip, Self::Xz, Self::Bzip2, Self::Zstd, Self::Zip];

    /// The name in a job.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Xz => "xz",
            Self::Bzip2 => "bz2",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }

    /// The endings of file names that are packed so, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Gzip => &["gz", "tgz"],
            Self::Xz => &["xz", "txz"],
            Self::Bzip2 => &["bz2", "tbz2"],
            Self::Zstd => &["zst", "zstd", "tzst"],
            Self::Zip => &["zip"],
        }
    }

    /// What the first bytes of a file say.
    pub fn from_magic(bytes: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.begins(bytes))
    }

    /// The file name without the ending of this compression: `rootfs.ext4.gz` is `rootfs.ext4`, `a.tgz` is
    /// `a.tar`.
    pub fn strip(self, name: &str) -> String {
        let Some((stem, extension)) = name.rsplit_once('.') else { return name.to_owned() };
        let extension = extension.to_ascii_lowercase();
        if stem.is_empty() || !self.extensions().contains(&extension.as_str()) {
            name.to_owned()
        } else if extension.starts_with('t') {
            format!("{stem}.tar")
        } else {
            stem.to_owned()
        }
    }

    /// Whether data packed so begins like this.
    pub fn begins(self, bytes: &[u8]) -> bool {
        match self {
            Self::Gzip => bytes.starts_with(&[0x1f, 0x8b]),
            Self::Xz => bytes.starts_with(b"\xfd7zXZ\0"),
            Self::Bzip2 => {
                bytes.starts_with(b"BZh") && bytes.get(3).is_some_and(|level| (b'1'..=b'9').contains(level))
            }
            Self::Zstd => bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_zstd_skippable(bytes),
            Self::Zip => [&b"PK\x03\x04"[..], b"PK\x05\x06"].iter().any(|magic| bytes.starts_with(magic)),
        }
    }
}

/// A skippable frame, with which a Zstandard file may begin (RFC 8878, 3.1.2).
fn is_zstd_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    /// The names of a job, and the longer ones people use.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "gz" | "gzip" => Ok(Self::Gzip),
            "xz" => Ok(Self::Xz),
            "bz2" | "bzip2" => Ok(Self::Bzip2),
            "zstd" | "zst" => Ok(Self::Zstd),
            "zip" => Ok(Self::Zip),
            _ => Err(UnknownCompression(name.chars().take(60).collect())),
        }
    }
}

#[cfg(test)]
mod tests;

//! tar archives: written deterministically, read without trusting them.
//!
//! Source: tar(5) of libarchive for ustar, GNU and pax headers. The bytes are the `tar` crate's; the rules
//! about names, links, bounds and order are ours.

mod reader;
mod writer;

use std::io;

use pumice_types::{Blame, Cause};

pub use reader::{LinkPolicy, read, read_file};
pub use writer::write;

use crate::{TreePathError, cause, tree::TreeError};

/// A tar archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// More members or bytes than we take.
    #[error("the tar archive has {what}")]
    TooMuch {
        /// What is too much, with the limit.
        what: String,
    },
    /// An absolute name.
    #[error(
        "the tar archive names `{0}`, which is absolute; names must be relative to the root of the archive"
    )]
    Absolute(String),
    /// A link that leads out of the place where the archive is unpacked.
    #[error("the tar archive links `{path}` to `{target}`, which is outside the archive")]
    LinkEscape {
        /// The link.
        path: String,
        /// What it names.
        target: String,
    },
    /// A kind of member we do not know.
    #[error("the tar archive holds `{path}` of the unknown kind `{kind}`")]
    Kind {
        /// The member.
        path: String,
        /// Its type flag, printable.
        kind: String,
    },
    /// A name that cannot stand in a tree.
    #[error(transparent)]
    Path(#[from] TreePathError),
    /// A member that cannot stand in a tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The archive is damaged, or cannot be read or written.
    #[error("failed to read or write the tar archive")]
    Io(#[from] io::Error),
}

impl Blame for TarError {
    fn root_cause(&self) -> Cause {
        match self {
            // The `tar` crate calls a damaged header `Other`.
            Self::Io(error) if error.kind() == io::ErrorKind::Other => Cause::ImageUnusable,
            Self::Io(error) => cause::of_io(error),
            Self::Tree(error) => error.root_cause(),
            _ => Cause::ImageUnusable,
        }
    }
}

#[cfg(test)]
mod tests;

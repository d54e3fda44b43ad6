//! The header of one member.

use std::io;

use pumice_types::{Blame, Cause};

use crate::{TreePathError, cause, tree::TreeError};

/// Bytes of a header: 6 of magic and 13 numbers of 8 hexadecimal digits.
pub(super) const HEADER_LENGTH: usize = 110;

/// What a member says about itself, numbers as they stand in the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The name as it is written, without the closing NUL. It may be anything; see
    /// [`TreePath`](crate::TreePath).
    pub name: Vec<u8>,
    /// Inode number: members with the same one are names of the same file.
    pub inode: u32,
    /// Kind and permissions (inode(7)).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How many names the file has.
    pub links: u32,
    /// Modification time, in seconds since 1970.
    pub mtime: u32,
    /// Length of the contents in bytes.
    pub size: u32,
    /// Major and minor number of the device the file was read from.
    pub device: (u32, u32),
    /// Major and minor number of the device the file is.
    pub special: (u32, u32),
}

/// A cpio archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CpioError {
    /// No header where one must be.
    #[error("not a cpio archive in the newc form: byte {offset} begins with `{found}`")]
    NotCpio {
        /// Where, in bytes from the begin of the archive.
        offset: u64,
        /// The bytes there, printable.
        found: String,
    },
    /// A number of a header is none.
    #[error("the cpio header at byte {offset} is damaged")]
    Damaged {
        /// Where, in bytes from the begin of the archive.
        offset: u64,
    },
    /// More members or longer names than we take.
    #[error("the cpio archive has {what}")]
    TooMuch {
        /// What is too much, with the limit.
        what: String,
    },
    /// A name that cannot stand in a tree.
    #[error(transparent)]
    Path(#[from] TreePathError),
    /// A member that cannot stand in a tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The form holds sizes of 32 bits.
    #[error("`{0}` is longer than the 4 GiB a cpio archive can hold")]
    TooLong(String),
    /// The archive cannot be read or written.
    #[error("failed to read or write the cpio archive")]
    Io(#[from] io::Error),
}

impl Blame for CpioError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            Self::Tree(error) => error.root_cause(),
            _ => Cause::ImageUnusable,
        }
    }
}

impl Header {
    /// The 110 bytes before the name.
    pub(super) fn encode(&self) -> Vec<u8> {
        let name_length = u32::try_from(self.name.len() + 1).unwrap_or(u32::MAX);
        let numbers = [
            self.inode,
            self.mode,
            self.uid,
            self.gid,
            self.links,
            self.mtime,
            self.size,
            self.device.0,
            self.device.1,
            self.special.0,
            self.special.1,
            name_length,
            0,
        ];
        let mut bytes = b"070701".to_vec();
        for number in numbers {
            bytes.extend_from_slice(format!("{number:08x}").as_bytes());
        }
        bytes
    }

    /// Reads the bytes before the name; gives the header and the length of the name with its NUL. `offset` is
    /// only for messages.
    pub(super) fn decode(bytes: &[u8; HEADER_LENGTH], offset: u64) -> Result<(Self, u32), CpioError> {
        // 070702 is the same with checksums, which the kernel takes too and, like us, does not look at.
        if !matches!(&bytes[..6], b"070701" | b"070702") {
            return Err(CpioError::NotCpio { offset, found: bytes[..6].escape_ascii().to_string() });
        }
        let mut numbers = [0; 13];
        for (number, digits) in numbers.iter_mut().zip(bytes[6..].chunks_exact(8)) {
            *number = hexadecimal(digits).ok_or(CpioError::Damaged { offset })?;
        }
        let [inode, mode, uid, gid, links, mtime, size, major, minor, rmajor, rminor, name_length, _] =
            numbers;
        let header = Self {
            name: Vec::new(),
            inode,
            mode,
            uid,
            gid,
            links,
            mtime,
            size,
            device: (major, minor),
            special: (rmajor, rminor),
        };
        Ok((header, name_length))
    }
}

/// Eight digits; unlike the parsers of std this takes no sign.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

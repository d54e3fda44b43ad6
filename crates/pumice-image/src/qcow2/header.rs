//! Reading a header that may be hostile.

use std::io::{self, Read, Seek, SeekFrom};

use pumice_types::{Blame, Cause};

use super::{BACKING_FORMAT, DATA_FILE, LONGEST_BACKING_NAME, MAGIC};
use crate::cause;

/// What an image says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// The size of the disk a guest sees, in bytes.
    pub virtual_bytes: u64,
    /// The file that holds what the image does not, as written. An image that a *job* brings must have none:
    /// it could name any file of the host.
    pub backing_file: Option<String>,
    /// The format of the backing file, as written.
    pub backing_format: Option<String>,
    /// Whether the data is in another file, which a job's image must not have either.
    pub has_external_data: bool,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
}

/// A qcow2 image cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Qcow2Error {
    /// It begins like something else.
    #[error("not a qcow2 image")]
    NotQcow2,
    /// The header is damaged, or of a version nobody has written yet.
    #[error("the qcow2 header is damaged: {0}")]
    Damaged(&'static str),
    /// The path of the backing file does not fit into a header.
    #[error(
        "the path of the backing file must be valid UTF-8 of at most {LONGEST_BACKING_NAME} bytes: `{0}`"
    )]
    BackingName(String),
    /// The disk is larger than one cluster of first-level table describes.
    #[error("the disk has {0} bytes, which is more than we make a view of")]
    TooLarge(u64),
    /// The file cannot be read or written.
    #[error("failed to read or write the qcow2 image")]
    Io(#[from] io::Error),
}

impl Blame for Qcow2Error {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            _ => Cause::ImageUnusable,
        }
    }
}

impl Header {
    /// Reads the header of the image that `input` holds from its first byte.
    pub fn read(mut input: impl Read + Seek) -> Result<Self, Qcow2Error> {
        input.rewind()?;
        // Extensions and the backing file's name are in the first cluster; the smallest cluster of an image
        // in the wild is 64 KiB, and what lies further back is not looked at.
        let mut bytes = Vec::new();
        input.by_ref().take(64 << 10).read_to_end(&mut bytes)?;
        if !bytes.starts_with(MAGIC) {
            return Err(Qcow2Error::NotQcow2);
        }
        let fields = Fields(&bytes);
        let version = fields.u32(4)?;
        if !(2..=3).contains(&version) {
            return Err(Qcow2Error::Damaged("its version is neither 2 nor 3"));
        }
        let incompatible = if version == 3 { fields.u64(72)? } else { 0 };
        let header_length = if version == 3 { fields.u32(100)? as usize } else { 72 };
        let mut header = Self {
            version,
            virtual_bytes: fields.u64(24)?,
            backing_file: None,
            backing_format: None,
            has_external_data: incompatible & 4 != 0,
            is_encrypted: fields.u32(32)? != 0,
        };
        let (name_offset, name_length) = (fields.u64(8)?, fields.u32(16)? as usize);
        if name_offset != 0 {
            if name_length == 0 || name_length > LONGEST_BACKING_NAME {
                return Err(Qcow2Error::Damaged("the name of its backing file has an impossible length"));
            }
            let mut name = vec![0; name_length];
            input.seek(SeekFrom::Start(name_offset))?;
            input.read_exact(&mut name)?;
            header.backing_file = Some(String::from_utf8_lossy(&name).into_owned());
        }
        header.read_extensions(fields, header_length)?;
        Ok(header)
    }

    fn read_extensions(&mut self, fields: Fields<'_>, begin: usize) -> Result<(), Qcow2Error> {
        let mut offset = begin;
        while let (Ok(kind), Ok(length)) = (fields.u32(offset), fields.u32(offset + 4)) {
            if kind == 0 {
                break;
            }
            let length = length as usize;
            let data = fields.slice(offset + 8, length)?;
            match kind {
                BACKING_FORMAT => self.backing_format = Some(String::from_utf8_lossy(data).into_owned()),
                DATA_FILE => self.has_external_data = true,
                _ => {}
            }
            offset += 8 + length.next_multiple_of(8);
        }
        Ok(())
    }

    /// Whether everything the guest reads is in the image itself.
    pub fn is_self_contained(&self) -> bool {
        self.backing_file.is_none() && !self.has_external_data
    }
}

/// Numbers at fixed places.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn slice(self, offset: usize, length: usize) -> Result<&'a [u8], Qcow2Error> {
        offset
            .checked_add(length)
            .and_then(|end| self.0.get(offset..end))
            .ok_or(Qcow2Error::Damaged("it ends in the middle of the header"))
    }

    fn u32(self, offset: usize) -> Result<u32, Qcow2Error> {
        let bytes = self.slice(offset, 4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn u64(self, offset: usize) -> Result<u64, Qcow2Error> {
        let bytes = self.slice(offset, 8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

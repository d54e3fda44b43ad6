//! ISO 9660 images: files taken out of them by name, without a mount.
//!
//! Sources: ECMA-119 (4th edition, 2019) for volume descriptors (8.4) and directory records (9.1); the names that
//! people see are those of Rock Ridge (RRIP 1.12, 4.1.4, `NM`, within SUSP 1.12), else those of ECMA-119 without their
//! version, in any case.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use pumice_types::{Blame, Cause};

use crate::cause;

/// The size of a sector, and of a logical block of every image met.
const SECTOR: u64 = 2048;
/// The same, as a length of a buffer.
const SECTOR_BYTES: usize = 2048;
/// The sector of the first volume descriptor (ECMA-119, 6.2.1).
const FIRST_DESCRIPTOR: u64 = 16;
/// How many descriptors are looked at.
const MOST_DESCRIPTORS: u64 = 64;
/// The largest directory that is read.
const LARGEST_DIRECTORY: u32 = 16 << 20;
/// A directory (ECMA-119, 9.1.6).
const DIRECTORY: u8 = 0x02;
/// A piece of a file of which more follow.
const PIECE: u8 = 0x80;

/// An image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// It has no primary volume descriptor.
    #[error("it is no ISO 9660 image")]
    NotIso,
    /// A record contradicts itself.
    #[error("the ISO 9660 image is damaged: {0}")]
    Damaged(&'static str),
    /// No such file.
    #[error("the ISO 9660 image has no `{path}`; beside it there is: {}", shown(beside))]
    NotFound {
        /// The path that was asked for.
        path: String,
        /// The names in the last directory that there is of it.
        beside: Vec<String>,
    },
    /// Something is there, of another kind.
    #[error("`{0}` of the ISO 9660 image is not one plain file")]
    NotFile(String),
    /// A file cannot be read or written.
    #[error("failed to read the ISO 9660 image, or to write what is in it")]
    Io(#[from] io::Error),
}

impl Blame for IsoError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            _ => Cause::ImageUnusable,
        }
    }
}

/// The first of the names, for a message.
fn shown(names: &[String]) -> String {
    const MOST: usize = 12;
    let mut text = names.iter().take(MOST).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += ", …";
    }
    text
}

/// An image that can be read.
#[derive(Debug)]
pub struct Image {
    file: BufReader<File>,
    root: Record,
}

/// A directory record: where something lies, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    name: Vec<u8>,
    /// Whether the name is Rock Ridge's, with its case.
    is_exact: bool,
    sector: u32,
    bytes: u32,
    flags: u8,
}

impl Image {
    /// Opens the image at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, IsoError> {
        let mut file = BufReader::new(File::open(path)?);
        for number in 0..MOST_DESCRIPTORS {
            let mut descriptor = [0; SECTOR_BYTES];
            file.seek(SeekFrom::Start((FIRST_DESCRIPTOR + number) * SECTOR))?;
            file.read_exact(&mut descriptor).map_err(|_| IsoError::NotIso)?;
            match (descriptor[0], &descriptor[1..6]) {
                (1, b"CD001") => {
                    let root = Record::read(&descriptor[156..190]).ok_or(IsoError::NotIso)?;
                    return Ok(Self { file, root });
                }
                (255, _) => break,
                (_, b"CD001") => {}
                _ => return Err(IsoError::NotIso),
            }
        }
        Err(IsoError::NotIso)
    }

    /// Copies the file at `path` in the image to `target`, which is made or replaced.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read or written.
    pub fn extract(&mut self, path: &str, target: &Path) -> Result<(), IsoError> {
        let record = self.find(path)?;
        if record.flags & (DIRECTORY | PIECE) != 0 {
            return Err(IsoError::NotFile(path.to_owned()));
        }
        self.file.seek(SeekFrom::Start(u64::from(record.sector) * SECTOR))?;
        let bytes = u64::from(record.bytes);
        let copied = io::copy(&mut (&mut self.file).take(bytes), &mut File::create(target)?)?;
        if copied < bytes { Err(IsoError::Damaged("a file ends behind the image")) } else { Ok(()) }
    }

    fn find(&mut self, path: &str) -> Result<Record, IsoError> {
        let mut record = self.root.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if record.flags & DIRECTORY == 0 {
                return Err(IsoError::NotFile(path.to_owned()));
            }
            let records = self.directory(&record)?;
            let Some(found) = records.iter().find(|record| record.is_called(name)) else {
                let beside = records.iter().map(|record| String::from_utf8_lossy(&record.name).into_owned());
                return Err(IsoError::NotFound { path: path.to_owned(), beside: beside.collect() });
            };
            record = found.clone();
        }
        Ok(record)
    }

    /// The records of a directory but for its own and that of the one above. No record crosses a sector.
    fn directory(&mut self, directory: &Record) -> Result<Vec<Record>, IsoError> {
        if directory.bytes > LARGEST_DIRECTORY {
            return Err(IsoError::Damaged("a directory is larger than any"));
        }
        let mut bytes = vec![0; directory.bytes as usize];
        self.file.seek(SeekFrom::Start(u64::from(directory.sector) * SECTOR))?;
        self.file.read_exact(&mut bytes)?;
        let mut records = Vec::new();
        for sector in bytes.chunks(SECTOR_BYTES) {
            let mut rest = sector;
            while let Some(length) = rest.first().copied().map(usize::from).filter(|length| *length > 0) {
                let (record, behind) =
                    rest.split_at_checked(length).ok_or(IsoError::Damaged("a record crosses a sector"))?;
                rest = behind;
                let record =
                    Record::read(record).ok_or(IsoError::Damaged("a record is shorter than its name"))?;
                if !matches!(record.name.as_slice(), [0 | 1]) {
                    records.push(record);
                }
            }
        }
        Ok(records)
    }
}

impl Record {
    /// Reads a record (ECMA-119, 9.1). Numbers stand in both orders; the lower byte first comes first.
    fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let length = usize::from(*bytes.get(32)?);
        let plain = bytes.get(33..33 + length)?;
        // The name is padded to an even length with the length's own byte.
        let system_use = bytes.get(33 + length + usize::from(length.is_multiple_of(2))..).unwrap_or_default();
        let exact = rock_ridge_name(system_use);
        let is_exact = !exact.is_empty();
        Some(Self {
            name: if is_exact { exact } else { plain.to_owned() },
            is_exact,
            sector: number(2)?,
            bytes: number(10)?,
            flags: *bytes.get(25)?,
        })
    }

    fn is_called(&self, name: &str) -> bool {
        if self.is_exact {
            return self.name == name.as_bytes();
        }
        let own = self.name.split(|byte| *byte == b';').next().unwrap_or_default();
        let own = own.strip_suffix(b".").unwrap_or(own);
        own.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The name in the entries `NM` of a system use area; empty when it has none. A name so long that it goes on
/// elsewhere (`CE`) is known by its beginning only, and so by its plain name.
fn rock_ridge_name(mut area: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    while let Some(length) = area.get(2).copied().map(usize::from).filter(|length| *length >= 4) {
        let Some((entry, rest)) = area.split_at_checked(length) else { break };
        area = rest;
        match &entry[..2] {
            b"NM" if length > 5 => name.extend_from_slice(&entry[5..]),
            b"CE" => return Vec::new(),
            _ => {}
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as an image has it.
    fn record(name: &[u8], system_use: &[u8], sector: u32, bytes: u32, flags: u8) -> Vec<u8> {
        let mut record = vec![0; 33];
        record[2..6].copy_from_slice(&sector.to_le_bytes());
        record[10..14].copy_from_slice(&bytes.to_le_bytes());
        record[25] = flags;
        record[32] = u8::try_from(name.len()).unwrap();
        record.extend_from_slice(name);
        if name.len().is_multiple_of(2) {
            record.push(0);
        }
        record.extend_from_slice(system_use);
        if !record.len().is_multiple_of(2) {
            record.push(0);
        }
        record[0] = u8::try_from(record.len()).unwrap();
        record
    }

    /// An image with `install.amd/vmlinuz` by Rock Ridge and `README.TXT;1` without.
    fn image() -> tempfile::NamedTempFile {
        let sector = |records: &[Vec<u8>]| {
            let mut bytes = records.concat();
            bytes.resize(2048, 0);
            bytes
        };
        let own = |at| [record(&[0], &[], at, 2048, 2), record(&[1], &[], 18, 2048, 2)].concat();
        let mut bytes = vec![0; 16 * 2048];
        let mut descriptor = vec![0; 2048];
        descriptor[..6].copy_from_slice(b"\x01CD001");
        descriptor[156..190].copy_from_slice(&record(&[0], &[], 18, 2048, 2)[..34]);
        bytes.extend(descriptor);
        bytes.extend([b"\xffCD001".to_vec(), vec![0; 2042]].concat());
        let long = record(b"INSTALL", b"PX\x04\x01NM\x10\x01\x00install.amd", 19, 2048, 2);
        bytes.extend(sector(&[own(18), long, record(b"README.TXT;1", &[], 20, 5, 0)]));
        bytes.extend(sector(&[own(19), record(b"VMLINUZ.;1", b"NM\x0c\x01\x00vmlinuz", 21, 6, 0)]));
        bytes.extend([b"hello".to_vec(), vec![0; 2043]].concat());
        bytes.extend(b"kernel");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn files_are_found_by_either_kind_of_name() {
        let file = image();
        let target = tempfile::NamedTempFile::new().unwrap();
        let check = |path: &str, expected: &str| {
            let mut image = Image::open(file.path()).unwrap();
            image.extract(path, target.path()).unwrap();
            assert_eq!(std::fs::read_to_string(target.path()).unwrap(), expected);
        };
        check("/install.amd/vmlinuz", "kernel");
        check("readme.txt", "hello");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let file = image();
        let check = |path: &str, expected: &str| {
            let mut image = Image::open(file.path()).unwrap();
            let error = image.extract(path, Path::new("/nonexistent/x")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(
            "/install.amd/linux",
            "the ISO 9660 image has no `/install.amd/linux`; beside it there is: `vmlinuz`",
        );
        check("/install.amd", "`/install.amd` of the ISO 9660 image is not one plain file");
    }

    #[test]
    fn an_image_that_is_cut_short_is_damaged() {
        let file = image();
        let length = file.as_file().metadata().unwrap().len();
        file.as_file().set_len(length - 3).unwrap();
        let target = tempfile::NamedTempFile::new().unwrap();
        let mut image = Image::open(file.path()).unwrap();
        let error = image.extract("/install.amd/vmlinuz", target.path()).unwrap_err();
        assert!(matches!(error, IsoError::Damaged(_)), "{error}");
        file.as_file().set_len(2048).unwrap();
        assert!(matches!(Image::open(file.path()).unwrap_err(), IsoError::NotIso));
    }
}

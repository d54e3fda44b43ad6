//! Making a copy-on-write view.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use super::{BACKING_FORMAT, Header, LONGEST_BACKING_NAME, MAGIC, Qcow2Error};

/// Bytes of a cluster, as a power of two: QEMU's default.
const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Bytes of disk one entry of the first-level table stands for: a cluster of 8-byte entries, each a cluster.
const BYTES_PER_L1_ENTRY: u64 = CLUSTER / 8 * CLUSTER;
/// Entries of the largest first-level table QEMU takes (`QCOW_MAX_L1_SIZE`, 32 MiB).
const LARGEST_L1: u64 = (32 << 20) / 8;

/// What the backing file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackingFormat {
    /// The bytes of the disk.
    Raw,
    /// Another qcow2 image.
    Qcow2,
}

impl BackingFormat {
    /// The name QEMU gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// What the file at `path` is, by its first bytes.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let mut begin = [0; 4];
        let mut file = File::open(path)?;
        let is_qcow2 = match std::io::Read::read_exact(&mut file, &mut begin) {
            Ok(()) => &begin == MAGIC,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        Ok(if is_qcow2 { Self::Qcow2 } else { Self::Raw })
    }
}

/// Makes the image `overlay`, which must not exist, as a copy-on-write view of the disk `backing`. The
/// backing file must be an absolute path and must not change as long as the view is used. Gives the format of
/// the backing file.
///
/// A raw file whose first bytes happen to be those of a qcow2 image is taken for one, as a guest could have
/// written them: who reads a disk that a guest wrote must know its format from elsewhere.
pub fn create_overlay(overlay: &Path, backing: &Path) -> Result<BackingFormat, Qcow2Error> {
    let format = BackingFormat::of(backing)?;
    let mut source = File::open(backing)?;
    let virtual_bytes = match format {
        BackingFormat::Raw => source.seek(SeekFrom::End(0))?.next_multiple_of(512),
        BackingFormat::Qcow2 => Header::read(&mut source)?.virtual_bytes,
    };
    let name = backing.to_str().filter(|name| name.len() <= LONGEST_BACKING_NAME && name.starts_with('/'));
    let name = name.ok_or_else(|| Qcow2Error::BackingName(backing.display().to_string()))?;
    let l1_entries = virtual_bytes.div_ceil(BYTES_PER_L1_ENTRY);
    if l1_entries > LARGEST_L1 {
        return Err(Qcow2Error::TooLarge(virtual_bytes));
    }
    // Header, refcount table, refcount block, first-level table.
    let clusters = 3 + (l1_entries * 8).div_ceil(CLUSTER).max(1);

    let mut file = File::options().write(true).create_new(true).open(overlay)?;
    file.set_len(clusters * CLUSTER)?;
    file.write_all(&header(name, format, virtual_bytes, l1_entries))?;
    file.seek(SeekFrom::Start(CLUSTER))?;
    file.write_all(&(2 * CLUSTER).to_be_bytes())?;
    file.seek(SeekFrom::Start(2 * CLUSTER))?;
    let in_use = usize::try_from(clusters).unwrap_or(usize::MAX);
    file.write_all(&1_u16.to_be_bytes().repeat(in_use))?;
    Ok(format)
}

/// The first cluster: header, extensions, and the name of the backing file behind them.
fn header(name: &str, format: BackingFormat, virtual_bytes: u64, l1_entries: u64) -> Vec<u8> {
    const HEADER_LENGTH: u32 = 104;
    let mut extensions = Vec::new();
    let format = format.name().as_bytes();
    extensions.extend(BACKING_FORMAT.to_be_bytes());
    extensions.extend(narrow(format.len() as u64).to_be_bytes());
    extensions.extend(format);
    extensions.resize(extensions.len().next_multiple_of(8), 0);
    extensions.extend([0; 8]);
    let name_offset = u64::from(HEADER_LENGTH) + extensions.len() as u64;

    let mut bytes = Vec::new();
    bytes.extend(MAGIC);
    bytes.extend(3_u32.to_be_bytes());
    bytes.extend(name_offset.to_be_bytes());
    bytes.extend(narrow(name.len() as u64).to_be_bytes());
    bytes.extend(CLUSTER_BITS.to_be_bytes());
    bytes.extend(virtual_bytes.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes()); // not encrypted
    bytes.extend(narrow(l1_entries).to_be_bytes());
    bytes.extend((3 * CLUSTER).to_be_bytes()); // first-level table
    bytes.extend(CLUSTER.to_be_bytes()); // refcount table
    bytes.extend(1_u32.to_be_bytes()); // of one cluster
    bytes.extend([0; 4 + 8]); // no snapshots
    bytes.extend([0; 3 * 8]); // no features
    bytes.extend(4_u32.to_be_bytes()); // refcounts of 2^4 bits
    bytes.extend(HEADER_LENGTH.to_be_bytes());
    bytes.extend(extensions);
    bytes.extend(name.as_bytes());
    bytes
}

/// Lengths that were checked to be small.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

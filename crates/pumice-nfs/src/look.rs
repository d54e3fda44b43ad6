//! The procedures that change nothing (RFC 1813, 3.3).
//!
//! Each reads its arguments and writes its results behind the status. What follows a failed status is written here
//! too; the status is put in front by `procedures`.

use crate::{
    files::{Files, LONGEST_NAME, Status},
    inode::{Inode, Kind},
    procedures::{Outcome, handle},
    rpc::Caller,
    xdr::{Reader, Writer},
};

/// The most bytes of one read or write.
pub(crate) const TRANSFER: u32 = 1 << 20;

/// What is said to be free; the host's disk says no when it is full.
const FREE_BYTES: u64 = 1 << 40;
/// How many files are said to be possible.
const FREE_FILES: u64 = 1 << 20;

pub(crate) fn attributes(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let file = handle(reader)?;
    Ok(files.write_attributes(file, results))
}

pub(crate) fn lookup(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let directory = handle(reader)?;
    let name = reader.opaque(LONGEST_NAME + 1)?;
    let found = files.lookup(directory, name);
    if let Ok(file) = found {
        results.opaque(&file.to_be_bytes());
        files.write_optional(file, results);
    }
    files.write_optional(directory, results);
    Ok(found.map(drop))
}

/// What the caller may do, of what is asked (3.3.4): by owner, group and the rest, and everything for root, who may
/// execute only what somebody may.
pub(crate) fn access(
    files: &Files,
    caller: &Caller,
    reader: &mut Reader<'_>,
    results: &mut Writer,
) -> Outcome {
    const READ: u32 = 0x01;
    const LOOKUP: u32 = 0x02;
    const CHANGE: u32 = 0x04 | 0x08 | 0x10;
    const EXECUTE: u32 = 0x20;
    let (file, asked) = (handle(reader)?, reader.u32()?);
    files.write_optional(file, results);
    let Ok(inode) = files.inode(file) else { return Ok(Err(Status::Stale)) };
    let bits = permissions(inode, caller);
    let mut granted = 0;
    for (bit, rights) in [(4, READ), (2, CHANGE), (1, LOOKUP | EXECUTE)] {
        if bits & bit != 0 {
            granted |= rights;
        }
    }
    results.u32(asked & granted);
    Ok(Ok(()))
}

/// The bits `rwx` that count for a caller.
fn permissions(inode: &Inode, caller: &Caller) -> u32 {
    let shift = if caller.uid == 0 {
        let somebody_executes = inode.mode & 0o111 != 0 || matches!(inode.kind, Kind::Directory(_));
        return if somebody_executes { 7 } else { 6 };
    } else if caller.uid == inode.uid {
        6
    } else if caller.gid == inode.gid || caller.groups.contains(&inode.gid) {
        3
    } else {
        0
    };
    inode.mode >> shift & 7
}

pub(crate) fn read_link(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let file = handle(reader)?;
    files.write_optional(file, results);
    Ok(match files.inode(file).map(|inode| &inode.kind) {
        Ok(Kind::Symlink(target)) => {
            results.opaque(target);
            Ok(())
        }
        Ok(_) => Err(Status::Invalid),
        Err(status) => Err(status),
    })
}

pub(crate) fn read(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let (file, offset, count) = (handle(reader)?, reader.u64()?, reader.u32()?.min(TRANSFER));
    files.write_optional(file, results);
    let bytes = match files.read(file, offset, usize::try_from(count).unwrap_or(0)) {
        Ok(bytes) => bytes,
        Err(status) => return Ok(Err(status)),
    };
    let size = files.inode(file).map_or(0, Inode::size);
    let is_end = offset.saturating_add(bytes.len() as u64) >= size;
    results.u32(u32::try_from(bytes.len()).unwrap_or(0)).bool(is_end).opaque(&bytes);
    Ok(Ok(()))
}

/// READDIR, and READDIRPLUS with what is told of each file.
pub(crate) fn list(files: &Files, is_plus: bool, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    /// What a name may need beside itself: numbers, lengths, attributes and a handle.
    const BESIDE: usize = 144;
    let (directory, begin) = (handle(reader)?, reader.u64()?);
    reader.u64()?;
    if is_plus {
        reader.u32()?;
    }
    let room = usize::try_from(reader.u32()?.min(TRANSFER)).unwrap_or(0);
    files.write_optional(directory, results);
    let names = match files.names(directory) {
        Ok(names) => names,
        Err(status) => return Ok(Err(status)),
    };
    // A verifier that never changes: numbers of names stay.
    results.u64(0);
    let own = [(1, &b"."[..], directory), (2, &b".."[..], names.parent)];
    let own = own.into_iter().filter(|(number, ..)| *number > begin);
    let mut fits = true;
    let mut written = 0;
    for (number, name, file) in own.chain(names.after(begin.max(2))) {
        if results.len() + name.len() + BESIDE > room {
            fits = false;
            break;
        }
        results.bool(true).u64(file).opaque(name).u64(number);
        if is_plus {
            files.write_optional(file, results);
            results.bool(true).opaque(&file.to_be_bytes());
        }
        written += 1;
    }
    results.bool(false).bool(fits);
    Ok(if fits || written > 0 { Ok(()) } else { Err(Status::TooSmall) })
}

pub(crate) fn space(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    files.write_optional(handle(reader)?, results);
    results.u64(FREE_BYTES).u64(FREE_BYTES).u64(FREE_BYTES);
    results.u64(FREE_FILES).u64(FREE_FILES).u64(FREE_FILES).u32(0);
    Ok(Ok(()))
}

pub(crate) fn facts(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    // Hard links, symbolic links, one answer for all files, times can be set.
    const PROPERTIES: u32 = 0x01 | 0x02 | 0x08 | 0x10;
    files.write_optional(handle(reader)?, results);
    // Largest, best, and their unit, of reads and of writes; the best listing; the largest file; a nanosecond.
    results.u32(TRANSFER).u32(TRANSFER).u32(4096).u32(TRANSFER).u32(TRANSFER).u32(4096);
    results.u32(1 << 16).u64(u64::MAX >> 1).u32(0).u32(1).u32(PROPERTIES);
    Ok(Ok(()))
}

pub(crate) fn names(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    files.write_optional(handle(reader)?, results);
    let longest = u32::try_from(LONGEST_NAME).unwrap_or(255);
    // Links; names: not cut, owner changed by root alone, case told apart and kept.
    results.u32(u32::MAX).u32(longest).bool(true).bool(true).bool(false).bool(true);
    Ok(Ok(()))
}

//! The procedures that change something (RFC 1813, 3.3).

use pumice_image::{Content, Device};

use crate::{
    attributes::Wanted,
    files::{Files, LONGEST_NAME, Status},
    inode::{Data, Kind, Names, Time},
    look::TRANSFER,
    procedures::{Outcome, handle},
    rpc::Caller,
    xdr::{Malformed, Reader, Writer},
};

/// The longest target of a symbolic link, as Linux has it.
const LONGEST_TARGET: usize = 4096;

/// What is written is on its way to the disk; it is as safe as the run's other files (`FILE_SYNC`).
const STABLE: u32 = 2;
/// A server that started anew would have another; this one lives as long as its files.
const VERIFIER: u64 = 0x7075_6d69_6365;

/// A directory and a name in it.
fn place<'a>(reader: &mut Reader<'a>) -> Result<(u64, &'a [u8]), Malformed> {
    Ok((handle(reader)?, reader.opaque(LONGEST_NAME + 1)?))
}

/// What follows the making of a file: its handle, what is told of it, how its directory is now.
fn made(
    files: &Files,
    directory: u64,
    file: Result<u64, Status>,
    results: &mut Writer,
) -> Result<(), Status> {
    if let Ok(file) = file {
        results.bool(true).opaque(&file.to_be_bytes());
        files.write_optional(file, results);
    }
    files.write_change(directory, results);
    file.map(drop)
}

pub(crate) fn set(files: &mut Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let file = handle(reader)?;
    let wanted = Wanted::read(reader)?;
    let guard = reader.optional(|reader| Ok(Time { seconds: reader.u32()?, nanoseconds: reader.u32()? }))?;
    let is_as_known = match (guard, files.inode(file)) {
        (Some(known), Ok(inode)) => inode.changed == known,
        _ => true,
    };
    let outcome = if is_as_known { files.set(file, &wanted) } else { Err(Status::NotSync) };
    files.write_change(file, results);
    Ok(outcome)
}

pub(crate) fn write(files: &mut Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let (file, offset) = (handle(reader)?, reader.u64()?);
    reader.u32()?;
    reader.u32()?;
    let bytes = reader.opaque(usize::try_from(TRANSFER).unwrap_or(0))?;
    let outcome = files.write(file, offset, bytes);
    files.write_change(file, results);
    if outcome.is_ok() {
        results.u32(u32::try_from(bytes.len()).unwrap_or(0)).u32(STABLE).u64(VERIFIER);
    }
    Ok(outcome)
}

pub(crate) fn create(
    files: &mut Files,
    caller: &Caller,
    reader: &mut Reader<'_>,
    results: &mut Writer,
) -> Outcome {
    /// How a file is made (`createmode3`).
    const UNCHECKED: u32 = 0;
    const GUARDED: u32 = 1;
    const EXCLUSIVE: u32 = 2;
    let (directory, name) = place(reader)?;
    let mode = reader.u32()?;
    let wanted = match mode {
        UNCHECKED | GUARDED => Wanted::read(reader)?,
        EXCLUSIVE => {
            reader.u64()?;
            Wanted::default()
        }
        _ => return Err(Malformed),
    };
    let empty = Kind::File(Data::Original(Content::Bytes(Vec::new())));
    let known = files.names(directory).ok().and_then(|names| names.get(name));
    let file = match (files.create(directory, name, wanted.inode(empty, caller)), known) {
        (Err(Status::Exists), Some(file)) if mode == UNCHECKED => {
            // What is there stays; only the size may be asked for again.
            wanted.size.map_or(Ok(()), |size| files.resize(file, size)).map(|()| file)
        }
        (other, _) => other,
    };
    Ok(made(files, directory, file, results))
}

/// What is made: by MKDIR, by SYMLINK, by MKNOD (RFC 1813, 3.3.9 to 3.3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Directory,
    Symlink,
    Node,
}

/// Makes something that is no file.
pub(crate) fn make(
    files: &mut Files,
    what: Made,
    caller: &Caller,
    reader: &mut Reader<'_>,
    results: &mut Writer,
) -> Outcome {
    let (directory, name) = place(reader)?;
    let node = if what == Made::Node { reader.u32()? } else { 0 };
    let wanted = Wanted::read(reader)?;
    let kind = match (what, node) {
        (Made::Directory, _) => Kind::Directory(Names::new(directory)),
        (Made::Symlink, _) => Kind::Symlink(reader.opaque(LONGEST_TARGET)?.to_owned()),
        (Made::Node, 3) => Kind::Block(device(reader)?),
        (Made::Node, 4) => Kind::Character(device(reader)?),
        (Made::Node, 6) => Kind::Socket,
        (Made::Node, 7) => Kind::Fifo,
        (Made::Node, _) => return Ok(made(files, directory, Err(Status::Invalid), results)),
    };
    let file = files.create(directory, name, wanted.inode(kind, caller));
    Ok(made(files, directory, file, results))
}

/// The numbers of a device (`specdata3`).
fn device(reader: &mut Reader<'_>) -> Result<Device, Malformed> {
    Ok(Device { major: reader.u32()?, minor: reader.u32()? })
}

/// REMOVE, and RMDIR for directories.
pub(crate) fn remove(
    files: &mut Files,
    wants_directory: bool,
    reader: &mut Reader<'_>,
    results: &mut Writer,
) -> Outcome {
    let (directory, name) = place(reader)?;
    let found = files.names(directory).map(|names| names.get(name));
    let is_directory = match found {
        Ok(Some(file)) => matches!(files.inode(file), Ok(inode) if matches!(inode.kind, Kind::Directory(_))),
        _ => wants_directory,
    };
    let outcome = match (is_directory, wants_directory) {
        (true, false) => Err(Status::IsDirectory),
        (false, true) => Err(Status::NotDirectory),
        _ => files.remove(directory, name),
    };
    files.write_change(directory, results);
    Ok(outcome)
}

pub(crate) fn rename(files: &mut Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let (from, to) = (place(reader)?, place(reader)?);
    let outcome = files.rename(from, to);
    files.write_change(from.0, results);
    files.write_change(to.0, results);
    Ok(outcome)
}

pub(crate) fn link(files: &mut Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let file = handle(reader)?;
    let (directory, name) = place(reader)?;
    let outcome = files.link(file, directory, name);
    files.write_optional(file, results);
    files.write_change(directory, results);
    Ok(outcome)
}

/// Nothing waits to be written: each write was answered as done.
pub(crate) fn commit(files: &Files, reader: &mut Reader<'_>, results: &mut Writer) -> Outcome {
    let file = handle(reader)?;
    files.write_change(file, results);
    results.u64(VERIFIER);
    Ok(files.inode(file).map(drop))
}

//! The procedures of NFS, version 3, by number (RFC 1813, 3.3).

use crate::{
    change::{self, Made},
    files::{Files, Status},
    look,
    rpc::{Call, Refusal},
    xdr::{Malformed, Reader, Writer},
};

/// The program's number.
pub(crate) const PROGRAM: u32 = 100_003;
/// The version served.
pub(crate) const VERSION: u32 = 3;

/// Whether the arguments could be read; and if so, what came of the procedure.
pub(crate) type Outcome = Result<Result<(), Status>, Malformed>;

/// A handle: the number of a file.
pub(crate) fn handle(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    /// The longest handle of this version (`NFS3_FHSIZE`).
    const LONGEST: usize = 64;
    // One that is none of ours is as good as one to a file that is gone.
    Ok(reader.opaque(LONGEST)?.try_into().map_or(0, u64::from_be_bytes))
}

/// Answers a call.
pub(crate) fn answer(call: &mut Call<'_>, files: &mut Files) -> Result<Writer, Refusal> {
    let (caller, reader) = (&call.caller, &mut call.arguments);
    let mut results = Writer::default();
    let body = &mut results;
    let outcome = match call.procedure {
        0 => return Ok(Writer::default()),
        1 => look::attributes(files, reader, body),
        2 => change::set(files, reader, body),
        3 => look::lookup(files, reader, body),
        4 => look::access(files, caller, reader, body),
        5 => look::read_link(files, reader, body),
        6 => look::read(files, reader, body),
        7 => change::write(files, reader, body),
        8 => change::create(files, caller, reader, body),
        9 => change::make(files, Made::Directory, caller, reader, body),
        10 => change::make(files, Made::Symlink, caller, reader, body),
        11 => change::make(files, Made::Node, caller, reader, body),
        12 => change::remove(files, false, reader, body),
        13 => change::remove(files, true, reader, body),
        14 => change::rename(files, reader, body),
        15 => change::link(files, reader, body),
        16 => look::list(files, false, reader, body),
        17 => look::list(files, true, reader, body),
        18 => look::space(files, reader, body),
        19 => look::facts(files, reader, body),
        20 => look::names(files, reader, body),
        21 => change::commit(files, reader, body),
        _ => return Err(Refusal::NoProcedure),
    }?;
    let mut answer = Writer::default();
    answer.u32(outcome.err().map_or(0, |status| status as u32)).fixed(&results.into_bytes());
    Ok(answer)
}

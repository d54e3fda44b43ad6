//! Remote procedure calls over a stream (RFC 5531).

use std::io::{self, Read, Write};

use crate::xdr::{Malformed, Reader, Writer};

/// The longest call that is taken: the largest write and its arguments.
const LONGEST_CALL: usize = 2 << 20;

/// The bit of a fragment's header that says that it is the last one (RFC 5531, 11).
const LAST_FRAGMENT: u32 = 1 << 31;

/// Who calls, where the caller says it as Unix does (`AUTH_SYS`: RFC 5531, appendix A).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// One call.
pub(crate) struct Call<'a> {
    pub(crate) id: u32,
    pub(crate) program: u32,
    pub(crate) version: u32,
    pub(crate) procedure: u32,
    pub(crate) caller: Caller,
    pub(crate) arguments: Reader<'a>,
}

/// Why a call has no results (`accept_stat`, RFC 5531, 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody here serves the program.
    NoProgram,
    /// Only this version of it is served.
    NoVersion(u32),
    /// It has no such procedure.
    NoProcedure,
    /// The arguments cannot be read.
    Garbage,
}

impl From<Malformed> for Refusal {
    fn from(Malformed: Malformed) -> Self {
        Self::Garbage
    }
}

/// Reads one message; `None` when the client hung up.
pub(crate) fn read_message(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        let mut header = [0; 4];
        match stream.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && message.is_empty() => {
                return Ok(None);
            }
            other => other?,
        }
        let header = u32::from_be_bytes(header);
        let length = usize::try_from(header & !LAST_FRAGMENT).unwrap_or(usize::MAX);
        if message.len().saturating_add(length) > LONGEST_CALL {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let begin = message.len();
        message.resize(begin + length, 0);
        stream.read_exact(&mut message[begin..])?;
        if header & LAST_FRAGMENT != 0 {
            return Ok(Some(message));
        }
    }
}

/// Writes one message.
pub(crate) fn write_message(stream: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&(length | LAST_FRAGMENT).to_be_bytes())?;
    stream.write_all(message)
}

impl<'a> Call<'a> {
    /// Reads a call (RFC 5531, 9). What is no call of the second version has no answer.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        const CALL: u32 = 0;
        const RPC_VERSION: u32 = 2;
        const AUTH_SYS: u32 = 1;
        let mut reader = Reader::new(message);
        let id = reader.u32()?;
        if reader.u32()? != CALL || reader.u32()? != RPC_VERSION {
            return Err(Malformed);
        }
        let (program, version, procedure) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let flavour = reader.u32()?;
        let credentials = reader.opaque(400)?;
        reader.u32()?;
        reader.opaque(400)?;
        let caller = if flavour == AUTH_SYS { Caller::read(credentials)? } else { Caller::default() };
        Ok(Self { id, program, version, procedure, caller, arguments: reader })
    }
}

impl Caller {
    fn read(credentials: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(credentials);
        reader.u32()?;
        reader.opaque(255)?;
        let (uid, gid) = (reader.u32()?, reader.u32()?);
        let count = reader.u32()?.min(16);
        let groups = (0..count).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        Ok(Self { uid, gid, groups })
    }
}

/// The answer to a call: its results, or why there are none.
pub(crate) fn reply(id: u32, outcome: Result<Writer, Refusal>) -> Vec<u8> {
    const REPLY: u32 = 1;
    const ACCEPTED: u32 = 0;
    let mut writer = Writer::default();
    // No verifier: flavour and length are 0.
    writer.u32(id).u32(REPLY).u32(ACCEPTED).u32(0).u32(0);
    match outcome {
        Ok(results) => writer.u32(0).fixed(&results.into_bytes()),
        Err(Refusal::NoProgram) => writer.u32(1),
        Err(Refusal::NoVersion(only)) => writer.u32(2).u32(only).u32(only),
        Err(Refusal::NoProcedure) => writer.u32(3),
        Err(Refusal::Garbage) => writer.u32(4),
    };
    writer.into_bytes()
}

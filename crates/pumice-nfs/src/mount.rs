//! The MOUNT protocol, version 3 (RFC 1813, appendix I): a name becomes the handle of the root.

use crate::{
    files::Files,
    rpc::{Call, Refusal},
    xdr::Writer,
};

/// The program's number.
pub(crate) const PROGRAM: u32 = 100_005;
/// The version served.
pub(crate) const VERSION: u32 = 3;

/// The longest name of an export.
const LONGEST_NAME: usize = 1024;
/// The name is none of ours (`MNT3ERR_NOENT`).
const NO_ENTRY: u32 = 2;
/// How callers say who they are: as Unix does.
const AUTH_SYS: u32 = 1;

/// Answers a call. `export` is the one name there is.
pub(crate) fn answer(call: &mut Call<'_>, export: &str) -> Result<Writer, Refusal> {
    let mut results = Writer::default();
    match call.procedure {
        // NULL, UMNT, UMNTALL: nobody keeps a list.
        0 | 3 | 4 => {}
        1 => {
            let name = call.arguments.opaque(LONGEST_NAME)?;
            if name == export.as_bytes() {
                results.u32(0).opaque(&Files::ROOT.to_be_bytes()).u32(1).u32(AUTH_SYS);
            } else {
                results.u32(NO_ENTRY);
            }
        }
        // DUMP and EXPORT: lists that a stranger would like to read are empty.
        2 | 5 => {
            results.bool(false);
        }
        _ => return Err(Refusal::NoProcedure),
    }
    Ok(results)
}

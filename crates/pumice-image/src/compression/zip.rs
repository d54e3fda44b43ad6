//! The one file that is meant in a zip archive.

use std::io::{self, Read, Seek, Write};

use zip::{ZipArchive, result::ZipError};

use super::{Compression, UnpackError};
use crate::Bounded;

/// Writes the file that is meant to `output` and gives its length: the only one of the archive, or the one
/// named like the archive without `.zip`. At most `limit` bytes are unpacked.
///
/// `archive_name` is the last component of the URL or path the archive came from.
pub fn unzip(
    archive: impl Read + Seek,
    archive_name: &str,
    limit: u64,
    output: &mut (impl Write + ?Sized),
) -> Result<u64, UnpackError> {
    let failed = |error: ZipError| UnpackError::Damaged(Compression::Zip, error.into());
    let mut archive = ZipArchive::new(archive).map_err(failed)?;
    let files: Vec<String> =
        archive.file_names().filter(|name| !name.ends_with('/')).map(str::to_owned).collect();
    let wanted = Compression::Zip.strip(archive_name);
    let chosen = match files.as_slice() {
        [] => return Err(UnpackError::Empty),
        [only] => only,
        many => many
            .iter()
            .find(|name| name.rsplit('/').next() == Some(wanted.as_str()))
            .ok_or_else(|| UnpackError::Members { wanted: wanted.clone(), members: many.to_vec() })?,
    };
    let member = archive.by_name(chosen).map_err(failed)?;
    io::copy(&mut Bounded::new(member, limit), output)
        .map_err(|error| UnpackError::Damaged(Compression::Zip, error))
}

//! Which of the known causes an I/O error is.

use std::io;

use pumice_types::Cause;

/// The cause of an I/O error met while an image is read or written: bad data is the image's fault, a full
/// disk is a full disk, and everything else is the host's.
pub(crate) fn of_io(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::DiskFull,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
            Cause::ImageUnusable
        }
        _ => Cause::HostRefused,
    }
}

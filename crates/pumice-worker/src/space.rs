//! A worker's directory: who holds it, and what room it has.

use std::{io, path::Path};

use fs_err as fs;
use pumice_types::ByteSize;

use crate::AgentError;

/// Why the file system of `path` has not `least` bytes free for us; `None` when it has, or does not say.
pub(crate) fn shortage(path: &Path, least: ByteSize) -> Option<String> {
    let file_system = rustix::fs::statvfs(path).ok()?;
    let free = ByteSize(file_system.f_bavail.saturating_mul(file_system.f_frsize));
    (free < least).then(|| format!("{free} free in {}, and {least} are the least", path.display()))
}

/// Takes the lock of a worker's directory, for as long as the file is open.
pub(crate) fn lock(state: &Path) -> Result<std::fs::File, AgentError> {
    let path = state.join("lock");
    let open = || -> io::Result<std::fs::File> {
        fs::create_dir_all(state)?;
        std::fs::OpenOptions::new().create(true).append(true).open(&path)
    };
    let file = open().map_err(|error| AgentError::state(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(AgentError::InUse { path: state.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(AgentError::state(&path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_says_how_much_is_free_and_where() {
        let path = Path::new("/");
        assert_eq!(shortage(path, ByteSize(0)), None);
        let said = shortage(path, ByteSize(u64::MAX)).unwrap();
        assert!(said.contains(" free in /"), "{said}");
    }
}

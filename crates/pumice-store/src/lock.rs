//! Lock files: who holds one is alive, because the kernel releases it when the process dies.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Shared with others of the same mind, or alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Shared,
    Exclusive,
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

/// What came of an attempt to take a lock without waiting.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is ours.
    Held(Lock),
    /// Somebody else holds it.
    Busy,
}

impl Lock {
    /// Takes the lock on the file at `path`, which is made where it is missing, without waiting.
    ///
    /// A lock file may be removed by who holds it. One that was removed between our opening and our locking
    /// it locks nothing, so the file must still be the one of that name afterwards.
    pub(crate) fn try_acquire(path: &Path, mode: Mode) -> io::Result<Attempt> {
        loop {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
            if !try_flock(&file, mode)? {
                return Ok(Attempt::Busy);
            }
            match fs::metadata(path) {
                Ok(named) if named.ino() == file.metadata()?.ino() => {
                    return Ok(Attempt::Held(Self { file }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The locked file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Takes the lock on an open file; whether it is ours.
pub(crate) fn try_flock(file: &File, mode: Mode) -> io::Result<bool> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_locks_stand_beside_each_other_and_exclusive_ones_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let attempt = |mode| Lock::try_acquire(&path, mode).unwrap();
        let (one, two) = (attempt(Mode::Shared), attempt(Mode::Shared));
        assert!(matches!((&one, &two), (Attempt::Held(_), Attempt::Held(_))));
        assert!(matches!(attempt(Mode::Exclusive), Attempt::Busy));
        drop((one, two));
        let Attempt::Held(alone) = attempt(Mode::Exclusive) else { panic!() };
        assert!(matches!(attempt(Mode::Shared), Attempt::Busy));
        // The holder removes the file: the next one locks a new file and not the old.
        fs::remove_file(&path).unwrap();
        let Attempt::Held(fresh) = attempt(Mode::Exclusive) else { panic!() };
        assert_ne!(fresh.file().metadata().unwrap().ino(), alone.file().metadata().unwrap().ino());
    }
}

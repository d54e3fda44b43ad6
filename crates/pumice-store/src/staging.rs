//! Files that are being written, and those that nobody writes any more.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    layout::Layout,
    lock::{Attempt, Lock, Mode, try_flock},
};

/// Makes the names of one process distinct; processes are told apart by their id, and a name that is taken
/// all the same is not used.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The lock under which files are made and abandoned ones are looked for.
const GATE: &str = ".gate";

/// A file being written, locked by its writer; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Staging {
    file: File,
    path: PathBuf,
    is_kept: bool,
}

impl Staging {
    /// A new, empty file.
    ///
    /// Between its creation and its lock it looks abandoned, so both happen while the gate is held shared, and
    /// abandoned files are looked for only by who holds it alone.
    pub(crate) fn new(layout: &Layout) -> io::Result<Self> {
        let tmp = layout.tmp();
        let gate = File::options().write(true).create(true).truncate(false).open(tmp.join(GATE))?;
        // Only a reconciliation holds the gate alone, and only for as long as it lists one directory.
        rustix::fs::flock(&gate, rustix::fs::FlockOperation::LockShared)?;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = tmp.join(format!("{}-{number}", std::process::id()));
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let staging = Self { file, path, is_kept: false };
                    let is_ours = try_flock(&staging.file, Mode::Exclusive)?;
                    let stranger = || io::Error::other("a new file is locked by somebody else");
                    return is_ours.then_some(staging).ok_or_else(stranger);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Where it is for now.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its final name, in place of what has that name.
    pub(crate) fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the files of writers that are dead; gives how many. Does nothing when somebody else is at it or
/// makes a file just now.
pub(crate) fn reconcile(layout: &Layout) -> io::Result<usize> {
    let tmp = layout.tmp();
    let Attempt::Held(_gate) = Lock::try_acquire(&tmp.join(GATE), Mode::Exclusive)? else { return Ok(0) };
    let mut removed = 0;
    for entry in fs::read_dir(&tmp)? {
        let entry = entry?;
        if entry.file_name() == GATE {
            continue;
        }
        let file = match File::open(entry.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if try_flock(&file, Mode::Exclusive)? && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::open(directory.path()).unwrap();
        let alive = Staging::new(&layout).unwrap();
        fs::write(layout.tmp().join("1-1"), "left behind").unwrap();
        assert_eq!(reconcile(&layout).unwrap(), 1);
        assert!(alive.path().exists());
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }
}

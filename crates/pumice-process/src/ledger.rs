//! The ledger: what a run has created outside of its own memory, so that somebody else can remove it.
//!
//! One file per run, `STATE/TOKEN.ledger`, lines of JSON, only ever appended to. The first line is the
//! [`Header`]; each further line says that a [`Thing`] was made or is gone. A line cut short by a crash is
//! left out: what it would have named is found by its cgroup or its mark.
//!
//! The run holds an exclusive `flock(2)` on the file while it lives; the kernel lets go of it whichever way
//! the run ends. `STATE/lock` is held for the moment in which a ledger is made or looked at, so that nobody
//! sees one that is not locked yet.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use pumice_types::{Blame, Cause};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::{
    container::EngineCall,
    procfs::{Process, boot_id},
};

/// The version of the format, in every header.
pub(crate) const VERSION: u32 = 1;

/// Something that stays when its maker dies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thing {
    /// A session of processes, by its leader.
    Session {
        /// The leader's id, which is the session's.
        pid: i32,
        /// When the leader started, in clock ticks since the host started, so that a later process with
        /// the same id is not taken for it.
        start_ticks: u64,
        /// The program's name, for messages.
        name: String,
    },
    /// A directory of the cgroup file system.
    Cgroup {
        /// Where.
        path: PathBuf,
    },
    /// A directory with all that is in it.
    Directory {
        /// Where.
        path: PathBuf,
        /// Its device and inode, so that a later directory of the same name is not taken for it; `None` before it
        /// is made, and then it is removed only if there is nothing in it.
        identity: Option<(u64, u64)>,
    },
    /// A file or a socket.
    File {
        /// Where.
        path: PathBuf,
        /// Its device and inode.
        identity: Option<(u64, u64)>,
    },
    /// A network interface.
    Tap {
        /// Its name.
        name: String,
    },
    /// A named network namespace.
    NetworkNamespace {
        /// Its name.
        name: String,
    },
    /// A container, which lives in its engine.
    Container {
        /// How the engine's client is called.
        engine: EngineCall,
        /// Its name.
        name: String,
    },
    /// Containers that were made together from one file, with their networks and volumes.
    Composition {
        /// How the client of compositions is called.
        compose: EngineCall,
        /// Its name in the engine.
        project: String,
        /// The file.
        file: PathBuf,
    },
    /// A seat of a licence.
    Seat {
        /// Which licence.
        feature: String,
        /// Which seat.
        id: String,
    },
}

impl Thing {
    /// The directory that is now at `path`.
    pub fn directory(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        Ok(Self::Directory { identity: Some(identity(&path)?), path })
    }

    /// The file or socket that is now at `path`.
    pub fn file(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        Ok(Self::File { identity: Some(identity(&path)?), path })
    }
}

/// Device and inode of what is at `path`, links not followed.
pub(crate) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The run's token, which marks its processes.
    pub(crate) run: String,
    /// The boot of the host in which ids and start times mean something.
    pub(crate) boot: String,
    /// The run's own process.
    pub(crate) pid: i32,
    /// When it started, in clock ticks.
    pub(crate) start_ticks: u64,
}

/// A line after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Entry {
    Made(Thing),
    Gone(Thing),
}

/// The ledger could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}")]
pub struct LedgerError {
    /// `create the ledger` and the like.
    pub action: &'static str,
    /// Which file or directory.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl Blame for LedgerError {
    fn root_cause(&self) -> Cause {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::DiskFull,
            _ => Cause::HostRefused,
        }
    }

    fn hint(&self) -> Option<String> {
        let directory = self.path.parent()?;
        Some(format!("{} must be writable for this user and not full", directory.display()))
    }
}

/// The ledger of a live run.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    things: Vec<Thing>,
}

impl Ledger {
    /// Creates and locks `STATE/RUN.ledger`, and `STATE` when it is not there.
    pub(crate) fn create(state: &Path, run: &str) -> Result<Self, LedgerError> {
        let path = state.join(format!("{run}.ledger"));
        let create = || -> io::Result<File> {
            fs::create_dir_all(state)?;
            let pid = rustix::process::getpid().as_raw_nonzero().get();
            let start_ticks = Process::read(pid).map_or(0, |process| process.start_ticks);
            let header = Header { version: VERSION, run: run.to_owned(), boot: boot_id()?, pid, start_ticks };
            let _lock = lock_state(state)?;
            let mut file = File::options().append(true).create_new(true).open(&path)?;
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            file.write_all(&line(&header)?)?;
            Ok(file)
        };
        match create() {
            Ok(file) => Ok(Self { path, open: Mutex::new(Open { file, things: Vec::new() }) }),
            Err(source) => Err(LedgerError { action: "create the ledger", path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that something was made. To be called before it is made where its name is known by then.
    pub fn made(&self, thing: Thing) -> Result<(), LedgerError> {
        let mut open = self.lock();
        self.append(&mut open, &Entry::Made(thing.clone()))?;
        open.things.push(thing);
        Ok(())
    }

    /// Makes a directory that is removed, with all that is in it, when the run ends in whatever way. It must
    /// not be there yet; the directory it is in must.
    pub fn create_directory(&self, path: impl Into<PathBuf>) -> Result<Thing, LedgerError> {
        let path = path.into();
        let intent = Thing::Directory { path: path.clone(), identity: None };
        self.made(intent.clone())?;
        let made = fs::create_dir(&path).and_then(|()| Thing::directory(&path));
        let thing = made.map_err(|source| LedgerError { action: "create the directory", path, source });
        if let Ok(thing) = &thing {
            self.made(thing.clone())?;
        }
        self.gone(&intent)?;
        thing
    }

    /// Notes that something is gone.
    pub fn gone(&self, thing: &Thing) -> Result<(), LedgerError> {
        let mut open = self.lock();
        let before = open.things.len();
        open.things.retain(|other| other != thing);
        if open.things.len() < before {
            self.append(&mut open, &Entry::Gone(thing.clone()))?;
        }
        Ok(())
    }

    /// What was made and is not gone, in the order in which it was made.
    pub fn things(&self) -> Vec<Thing> {
        self.lock().things.clone()
    }

    /// Lets go of the lock, so that the watcher or another run may take the file over.
    pub(crate) fn release(&self) {
        // Unlocking a lock we hold cannot fail in a way that anybody could act on.
        let _ = rustix::fs::flock(&self.lock().file, FlockOperation::Unlock);
    }

    /// Removes the file when it names nothing any more; else leaves it for [`crate::reconcile`].
    pub(crate) fn close(&self) -> Result<(), LedgerError> {
        let open = self.lock();
        if !open.things.is_empty() {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(|source| LedgerError {
            action: "remove the ledger",
            path: self.path.clone(),
            source,
        })
    }

    fn append(&self, open: &mut Open, entry: &Entry) -> Result<(), LedgerError> {
        let write = line(entry).and_then(|line| open.file.write_all(&line));
        write.map_err(|source| LedgerError { action: "write to the ledger", path: self.path.clone(), source })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One write per line, so that a line is there whole or cut short, never mixed with another.
fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Appends that `thing` is gone to the ledger of a dead run.
pub(crate) fn append_gone(file: &mut File, thing: &Thing) -> io::Result<()> {
    file.write_all(&line(&Entry::Gone(thing.clone()))?)
}

/// Holds `STATE/lock` until it is dropped.
pub(crate) fn lock_state(state: &Path) -> io::Result<File> {
    let file = File::options().write(true).create(true).truncate(false).open(state.join("lock"))?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// What a ledger says: its header and the things that were made and are not gone.
pub(crate) fn read(file: &File) -> io::Result<Option<(Header, Vec<Thing>)>> {
    let mut lines = io::BufReader::new(file).split(b'\n');
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let Ok(header) = serde_json::from_slice::<Header>(&first) else { return Ok(None) };
    let mut things = Vec::new();
    for line in lines {
        match serde_json::from_slice(&line?) {
            Ok(Entry::Made(thing)) => things.push(thing),
            Ok(Entry::Gone(thing)) => things.retain(|other| *other != thing),
            // Cut short by a crash.
            Err(_) => {}
        }
    }
    Ok(Some((header, things)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_listed_and_a_line_cut_short_is_left_out() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(state.path(), "a").unwrap();
        let tap = Thing::Tap { name: "tap0".into() };
        let directory = Thing::directory(state.path()).unwrap();
        ledger.made(tap.clone()).unwrap();
        ledger.made(directory.clone()).unwrap();
        ledger.gone(&tap).unwrap();
        ledger.gone(&tap).unwrap();
        let mut raw = File::options().append(true).open(ledger.path()).unwrap();
        raw.write_all(b"{\"made\":{\"tap\":{\"na").unwrap();
        let (header, things) = read(&File::open(ledger.path()).unwrap()).unwrap().unwrap();
        assert_eq!((header.version, header.run.as_str()), (VERSION, "a"));
        assert_eq!(things, std::slice::from_ref(&directory));
        assert_eq!(ledger.things(), [directory]);
    }

    #[test]
    fn an_empty_ledger_is_removed_and_another_kept() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(state.path(), "a").unwrap();
        let seat = Thing::Seat { feature: "f".into(), id: "1".into() };
        ledger.made(seat.clone()).unwrap();
        ledger.close().unwrap();
        assert!(ledger.path().exists());
        ledger.gone(&seat).unwrap();
        ledger.close().unwrap();
        assert!(!ledger.path().exists());
    }

    #[test]
    fn the_format_on_disk_is_version_1() {
        let entry = Entry::Made(Thing::Session { pid: 7, start_ticks: 9, name: "sh".into() });
        let text = String::from_utf8(line(&entry).unwrap()).unwrap();
        assert_eq!(text, "{\"made\":{\"session\":{\"pid\":7,\"start_ticks\":9,\"name\":\"sh\"}}}\n");
    }
}

//! A job's directory, `STATE/jobs/ID-FENCE/`, and the small files by which agent, keeper and job agree
//! (`docs/protocol/job-directory.md`). Each is written whole under another name and then renamed.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use fs_err as fs;
use pumice_api::worker::{Fence, JobRef};
use pumice_types::{Blame, Cause, JobId, WorkerName};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::clock::{boot_id, boot_millis};

/// A job's directory could not be used.
#[derive(Debug, Error)]
#[error("the directory of a job cannot be written")]
pub(crate) struct JobDirError(#[from] io::Error);

impl Blame for JobDirError {
    fn root_cause(&self) -> Cause {
        match self.0.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::DiskFull,
            _ => Cause::HostRefused,
        }
    }
}

/// A job's directory.
#[derive(Clone, Debug)]
pub(crate) struct Directory(PathBuf);

/// `offer.json`: whose directory it is. Written first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) job: JobId,
    pub(crate) fence: Fence,
}

/// `start.json`: what the keeper starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartRecord {
    /// The argument vector.
    pub(crate) argv: Vec<String>,
    /// Variables to set.
    pub(crate) env: Vec<(String, String)>,
    /// Whether nothing else of the worker's environment is passed on.
    pub(crate) purge: bool,
}

/// `keeper.json`: the one keeper that this directory ever has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeeperRecord {
    pub(crate) pid: i32,
    /// When it started, in clock ticks since the boot: with the id it names one process.
    pub(crate) start_ticks: u64,
    pub(crate) boot_id: String,
}

/// `lease.json`: until when the job may run, on the clock of `boot_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// From then on the job is asked to end.
    pub(crate) stop_ms: u64,
    /// Then it is killed.
    pub(crate) kill_ms: u64,
    pub(crate) boot_id: String,
}

/// The length of `lease.json`, in bytes, filled up with blanks: so that it can be written over in place.
const LEASE_BYTES: usize = 256;

/// How often a lease is looked at that cannot be read.
const LEASE_LOOKS: usize = 4;

/// What the end of a job needs on a full disk, in bytes: its outcome, and the keeper's last word.
const ROOM_BYTES: u64 = 64 << 10;

/// How long before the end of a lease everything of the job is killed.
const KILL_EARLY_MS: u64 = 3_000;

impl Lease {
    /// A lease of `lease_ms`, counted from `sent_ms`.
    pub(crate) fn from(sent_ms: u64, lease_ms: u64) -> Self {
        Self {
            stop_ms: sent_ms + lease_ms / 4 * 3,
            kill_ms: sent_ms + lease_ms.saturating_sub(KILL_EARLY_MS.min(lease_ms / 10)),
            boot_id: boot_id(),
        }
    }

    /// One that never ends, for servers that know no leases.
    pub(crate) fn endless() -> Self {
        Self { stop_ms: u64::MAX, kill_ms: u64::MAX, boot_id: boot_id() }
    }

    /// Whether a job may be started under it.
    pub(crate) fn is_valid(&self) -> bool {
        self.boot_id == boot_id() && boot_millis() < self.stop_ms
    }
}

/// `cancel.json`: written before the keeper is told to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cancel {
    /// After how long the job is killed.
    pub(crate) kill_after_ms: u64,
}

/// `exit.json`: the keeper's last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) reason: ExitReason,
    /// How the job's process ended, in words; empty when it was never started.
    pub(crate) status: String,
}

/// Why a job's process is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExitReason {
    /// It ended by itself.
    Ended,
    /// It was cancelled.
    Cancelled,
    /// Its lease was over.
    LeaseLost,
    /// It could not be started.
    NotStarted,
}

impl Directory {
    /// The directory at `path`, whether or not it is there.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The directory of one giving of a job, below a worker's state.
    pub(crate) fn of(state: &Path, job: JobRef) -> Self {
        Self(state.join("jobs").join(format!("{}-{}", job.job, job.fence.0)))
    }

    /// Makes it for an offer; a directory that is there already is kept.
    pub(crate) fn create(state: &Path, job: JobRef, lease: &Lease) -> Result<Self, JobDirError> {
        let directory = Self::of(state, job);
        private_directory(&state.join("jobs"))?;
        fs::create_dir_all(directory.output())?;
        directory.keep_room()?;
        directory.set_lease(lease)?;
        write_json(&directory.offer(), &Offer { job: job.job, fence: job.fence })?;
        Ok(directory)
    }

    /// All directories below a worker's state that belong to a job; what was begun and never became one is removed.
    pub(crate) fn all(state: &Path) -> Result<Vec<(JobRef, Self)>, JobDirError> {
        let jobs = state.join("jobs");
        private_directory(&jobs)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&jobs)? {
            let directory = Self(entry?.path());
            match read_json::<Offer>(&directory.offer()) {
                Some(offer) => found.push((JobRef { job: offer.job, fence: offer.fence }, directory)),
                None => directory.remove()?,
            }
        }
        Ok(found)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn offer(&self) -> PathBuf {
        self.0.join("offer.json")
    }

    /// A file of the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Where the job writes its log and its files.
    pub(crate) fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// The job's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.output().join("logs.yaml")
    }

    pub(crate) fn keeper(&self) -> Option<KeeperRecord> {
        read_json(&self.file("keeper.json"))
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        read_json(&self.file("exit.json"))
    }

    pub(crate) fn lease(&self) -> Option<Lease> {
        let path = self.file("lease.json");
        // One that is just being written over in place is whole a moment later.
        for _ in 0..LEASE_LOOKS {
            let lease = read_json(&path);
            if lease.is_some() || !path.exists() {
                return lease;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    }

    /// Writes a lease down. Where there is no room for another file, the one that is there is written over: a disk that is
    /// full must not cost the job its lease.
    pub(crate) fn set_lease(&self, lease: &Lease) -> Result<(), JobDirError> {
        let path = self.file("lease.json");
        let mut bytes = serde_json::to_vec(lease).map_err(io::Error::from)?;
        bytes.resize(bytes.len().max(LEASE_BYTES), b' ');
        match write_whole(&path, &bytes) {
            Err(error) if error.root_cause() == Cause::DiskFull && path.exists() => {
                let file = fs::OpenOptions::new().write(true).open(&path)?;
                std::os::unix::fs::FileExt::write_all_at(file.file(), &bytes, 0)?;
                Ok(())
            }
            other => other,
        }
    }

    /// Keeps room for the end of the job, should the disk be full by then.
    fn keep_room(&self) -> io::Result<()> {
        let room = fs::OpenOptions::new().create(true).write(true).truncate(false).open(self.file("room"))?;
        let flags = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(room.file(), flags, 0, ROOM_BYTES) {
            // A file system without it keeps no room; nothing else depends on it.
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            kept => Ok(kept?),
        }
    }

    /// Gives that room back, for what is written next.
    pub(crate) fn give_room(&self) {
        // It may have been given already.
        drop(std::fs::remove_file(self.file("room")));
    }

    /// Where a node of a MultiNode job says what it says to the others; `None` for a job that is none.
    pub(crate) fn group(&self) -> Option<PathBuf> {
        Some(self.file("group")).filter(|path| path.is_dir())
    }

    /// The job is a node of a MultiNode job, whose nodes are on these workers.
    pub(crate) fn make_group(&self, workers: &BTreeMap<JobId, WorkerName>) -> Result<(), JobDirError> {
        fs::create_dir_all(self.file("group"))?;
        write_json(&self.file("nodes.json"), workers)
    }

    /// Whether the job's texts are there.
    pub(crate) fn is_prepared(&self) -> bool {
        self.file("start.json").exists()
    }

    /// Removes it with everything in it.
    pub(crate) fn remove(&self) -> Result<(), JobDirError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Makes a directory for nobody else's eyes: jobs carry secrets and tokens.
fn private_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Reads a small file; `None` when it is not there or not whole.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a small file whole: it is there as it was or as it shall be. It is not forced to the disk: a power cut that
/// loses it ends the job, too.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), JobDirError> {
    write_whole(path, &serde_json::to_vec(value).map_err(io::Error::from)?)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), JobDirError> {
    let beside = path.with_extension("new");
    let written = fs::File::create(&beside).and_then(|mut file| file.write_all(bytes));
    if let Err(error) = written {
        // What there is of it would only take room.
        drop(std::fs::remove_file(&beside));
        return Err(error.into());
    }
    fs::rename(&beside, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobRef = JobRef { job: JobId(7), fence: Fence(3) };

    #[test]
    fn a_directory_is_found_again_and_one_that_was_only_begun_is_removed() {
        let state = tempfile::tempdir().unwrap();
        let directory = Directory::create(state.path(), JOB, &Lease::endless()).unwrap();
        let begun = state.path().join("jobs/8-1");
        fs::create_dir_all(&begun).unwrap();
        let all = Directory::all(state.path()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].0, all[0].1.path()), (JOB, directory.path()));
        assert!(!begun.exists());
        assert!(all[0].1.lease().unwrap().is_valid());
    }

    #[test]
    fn a_lease_stops_before_it_kills_and_kills_before_it_ends() {
        let lease = Lease::from(1_000, 60_000);
        assert_eq!((lease.stop_ms, lease.kill_ms), (46_000, 58_000));
        let short = Lease::from(1_000, 1_000);
        assert!(short.stop_ms < short.kill_ms && short.kill_ms < 2_000);
        assert!(!Lease { boot_id: "another boot".to_owned(), ..Lease::endless() }.is_valid());
    }
}

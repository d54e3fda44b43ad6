//! What a fetch gives.

use std::{
    fs::FileTimes,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use crate::{Digest, lock::Lock};

/// Keeps an object from being removed, for as long as it or a clone of it is there. It is a lock held by this
/// process: when the process dies, however it dies, the lease is over.
#[derive(Clone, Debug)]
pub struct Lease {
    lock: Arc<Lock>,
    digest: Digest,
}

impl Lease {
    pub(crate) fn new(lock: Lock, digest: Digest) -> Self {
        Self { lock: Arc::new(lock), digest }
    }

    /// The object it is for.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Notes that the object is used now.
    pub(crate) fn touch(&self) -> io::Result<()> {
        self.lock.file().set_times(FileTimes::new().set_modified(SystemTime::now()))
    }
}

/// Where the bytes of an artifact came from this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// They were read from the URL.
    Fetched,
    /// The server, or the identity of the host file, said that they are those the store has.
    Unchanged,
    /// The job names them by SHA-256 and the store has them; nobody was asked.
    Known,
}

/// An artifact in the store, leased for as long as this value is there.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    pub(crate) source_sha256: Digest,
    pub(crate) source_bytes: u64,
    pub(crate) origin: Origin,
    pub(crate) lease: Lease,
}

impl Artifact {
    /// The object, unpacked, read-only. Use [`Store::view`](crate::Store::view) for a file to hand out.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last component of the URL, without the ending of its compression.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of the object: of the *unpacked* bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The length of the object.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of the bytes as they were downloaded, which is what LAVA reports (lava-compat 1.5).
    pub fn source_sha256(&self) -> Digest {
        self.source_sha256
    }

    /// The length of what was downloaded, which is what LAVA reports.
    pub fn source_bytes(&self) -> u64 {
        self.source_bytes
    }

    /// Where the bytes came from this time.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Keeps the object in the store.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }
}

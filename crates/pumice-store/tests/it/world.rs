//! A store in a directory that is gone afterwards.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use pumice_store::{Artifact, Cancel, Control, FetchError, Policy, Progress, Request, Store};
use pumice_types::Deadline;

pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) store: Store,
}

/// Patient as usual, but without pauses.
pub(crate) fn policy() -> Policy {
    Policy { first_pause: Duration::from_millis(1), attempts: 4, ..Policy::default() }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(policy())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap().with_policy(policy);
        Self { directory, store }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn fetch(&self, request: &Request) -> Result<Artifact, FetchError> {
        fetch(&self.store, request).0
    }

    /// What the store takes in `tmp/`, the gate left out.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let list = fs::read_dir(self.store.directory().join("tmp")).unwrap();
        list.map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with(".gate")).collect()
    }
}

/// Fetches with a minute of time; gives the result and the progress.
pub(crate) fn fetch(store: &Store, request: &Request) -> (Result<Artifact, FetchError>, Vec<Progress>) {
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(60), "the test");
    fetch_until(store, request, &deadline, &Cancel::new())
}

pub(crate) fn fetch_until(
    store: &Store,
    request: &Request,
    deadline: &Deadline,
    cancel: &Cancel,
) -> (Result<Artifact, FetchError>, Vec<Progress>) {
    let mut seen = Vec::new();
    let mut progress = |progress| seen.push(progress);
    let mut control = Control { deadline, cancel, progress: &mut progress };
    let result = store.fetch(request, &mut control);
    (result, seen)
}

pub(crate) fn contents(artifact: &Artifact) -> Vec<u8> {
    fs::read(artifact.path()).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that do not repeat.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state >> 16).to_le_bytes()[..4]);
    }
    bytes.truncate(length);
    bytes
}

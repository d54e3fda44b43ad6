//! Fetching: from a request to a leased artifact.
//!
//! ```text
//!  request ─┬─ job names a SHA-256 the store has ──────────────────────────▶ artifact (Known)
//!           ├─ file: identity known ──────────────────────────────────────▶ artifact (Unchanged)
//!           ├─ http: validators known ──▶ GET if changed ──▶ 304 ──────────▶ artifact (Unchanged)
//!           └─ otherwise: read ─▶ count digests ─▶ unpack ─▶ tmp ─▶ publish ▶ artifact (Fetched)
//! ```

mod address;
mod attempts;
mod client;
mod download;
mod file;
mod http;
mod ingest;
mod url;

use std::time::{Duration, Instant};

use crate::{
    Artifact, Control, Digest, FetchError, Origin, Policy, Request,
    digest::Digests,
    index::{self, Source},
    layout::Layout,
    lock::{Attempt, Lock, Mode},
    object,
    request::Progress,
};
use url::Place;
pub use url::shown_url;

/// How often a lock that another job holds is tried.
const POLL: Duration = Duration::from_millis(20);

/// One fetch: everything its parts need to know.
pub(crate) struct Fetch<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) policy: &'a Policy,
    pub(crate) request: &'a Request,
    /// The last component of the URL.
    name: String,
    /// The URL as messages show it.
    shown: String,
}

/// Fetches `request` into the store at `layout`.
pub(crate) fn fetch(
    layout: &Layout,
    policy: &Policy,
    request: &Request,
    control: &mut Control<'_>,
) -> Result<Artifact, FetchError> {
    let place = Place::parse(&request.url)?;
    let fetch = Fetch { layout, policy, request, name: place.file_name(), shown: shown_url(&request.url) };
    fetch.check(control, "the download to begin")?;
    if let Some(artifact) = fetch.known()? {
        return Ok(artifact);
    }
    match place {
        Place::File(path) => fetch.file(&path, control),
        Place::Http(url) => fetch.http(&url, control),
    }
}

impl Fetch<'_> {
    /// What the job names by SHA-256 and the store has.
    fn known(&self) -> Result<Option<Artifact>, FetchError> {
        let named = self.request.checksums.iter().find_map(|checksum| checksum.hex().parse::<Digest>().ok());
        match named {
            Some(sha256) if self.request.use_cache => {
                let Some((artifact, digests)) = self.recall(sha256, Origin::Known)? else { return Ok(None) };
                self.verify(&digests)?;
                Ok(Some(artifact))
            }
            _ => Ok(None),
        }
    }

    /// The artifact that bytes with this SHA-256 became earlier; `None` when the store does not have it, or
    /// does not know a checksum the job wants compared. The comparison is the caller's.
    fn recall(&self, sha256: Digest, origin: Origin) -> Result<Option<(Artifact, Digests)>, FetchError> {
        let Some(source) = index::read::<Source>(&self.layout.source(sha256)) else { return Ok(None) };
        let digests = source.digests(sha256);
        let is_known = |algorithm| digests.get(algorithm).is_some();
        if !self.request.checksums.iter().all(|checksum| is_known(checksum.algorithm())) {
            return Ok(None);
        }
        let transformation = self.request.transformation(&self.name);
        let Some(object) = source.objects.get(&transformation) else { return Ok(None) };
        let Some(lease) = object::lease(self.layout, *object)? else { return Ok(None) };
        let artifact = self.artifact(lease, &digests, source.bytes, origin)?;
        Ok(Some((artifact, digests)))
    }

    /// Compares with what the job says.
    fn verify(&self, digests: &Digests) -> Result<(), FetchError> {
        for checksum in &self.request.checksums {
            let found = digests.get(checksum.algorithm()).unwrap_or_default();
            if found != checksum.hex() {
                return Err(FetchError::Checksum {
                    url: self.shown.clone(),
                    algorithm: checksum.algorithm(),
                    expected: checksum.hex().to_owned(),
                    found,
                });
            }
        }
        Ok(())
    }

    fn artifact(
        &self,
        lease: crate::Lease,
        digests: &Digests,
        source_bytes: u64,
        origin: Origin,
    ) -> Result<Artifact, FetchError> {
        let path = self.layout.object(lease.digest());
        let bytes = std::fs::metadata(&path)?.len();
        let limit = self.request.largest_artifact;
        if bytes > limit.0 || source_bytes > self.request.largest_download.0 {
            return Err(FetchError::TooLarge { url: self.shown.clone(), limit });
        }
        let name = match self.request.compression {
            Some(compression) => compression.strip(&self.name),
            None => self.name.clone(),
        };
        Ok(Artifact {
            path,
            name,
            digest: lease.digest(),
            bytes,
            source_sha256: digests.sha256,
            source_bytes,
            origin,
            lease,
        })
    }

    /// Waits until no other job fetches the same thing.
    fn lock(&self, key: Digest, control: &mut Control<'_>) -> Result<Lock, FetchError> {
        let path = self.layout.lock(key);
        let mut is_told = false;
        loop {
            if let Attempt::Held(lock) = Lock::try_acquire(&path, Mode::Exclusive)? {
                return Ok(lock);
            }
            if !is_told {
                (control.progress)(Progress::Waiting);
                is_told = true;
            }
            self.check(control, "another job's download of the same file")?;
            control.cancel.sleep(POLL);
        }
    }

    /// Whether there is time left and anybody still wants it.
    fn check(&self, control: &Control<'_>, waited_for: &str) -> Result<(), FetchError> {
        if control.cancel.is_cancelled() {
            return Err(FetchError::Cancelled(self.shown.clone()));
        }
        if control.deadline.is_over(Instant::now()) {
            return Err(self.timed_out(control, waited_for));
        }
        Ok(())
    }

    fn timed_out(&self, control: &Control<'_>, waited_for: &str) -> FetchError {
        FetchError::TimedOut {
            owner: control.deadline.owner().to_owned(),
            limit: control.deadline.limit(),
            waited_for: format!("{waited_for}: `{}`", self.shown),
        }
    }
}

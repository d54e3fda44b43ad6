//! The store as its users see it.

use std::{io::Read, path::Path, time::SystemTime};

use crate::{
    Artifact, Control, Digest, FetchError, Lease, Policy, Prune, Pruned, Request, Route, StoreError, Usage,
    View, ViewError, Viewed, fetch,
    layout::{Layout, digests_in},
    object, prune, staging, view,
};

/// A directory of artifacts that all jobs of a host share. Cheap to clone; may be used from several threads.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    policy: Policy,
}

impl Store {
    /// Opens the store at `directory`, which is made where it is missing, and removes what processes left
    /// behind that died while they wrote. Everything is allowed, as for a job run by hand; see
    /// [`Store::with_policy`].
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let layout = Layout::open(directory)?;
        staging::reconcile(&layout)?;
        Ok(Self { layout, policy: Policy::default() })
    }

    /// With what an operator allows.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The directory, with its links followed.
    pub fn directory(&self) -> &Path {
        self.layout.root()
    }

    /// Fetches, verifies and unpacks a file, or finds that the store has it. Blocks; made for a thread of its
    /// own. Two jobs that want the same file at once fetch it once.
    pub fn fetch(&self, request: &Request, control: &mut Control<'_>) -> Result<Artifact, FetchError> {
        fetch::fetch(&self.layout, &self.policy, request, control)
    }

    /// Whether and how git may reach the repository at `url`. May wait for a name to be resolved.
    ///
    /// # Errors
    /// The URL is none, or the policy forbids the place.
    pub fn repository(&self, url: &str) -> Result<Route, FetchError> {
        fetch::route(&self.policy, url)
    }

    /// Leases an object the store has; `None` when it does not.
    pub fn lease(&self, digest: Digest) -> Result<Option<Lease>, StoreError> {
        Ok(object::lease(&self.layout, digest)?)
    }

    /// Keeps bytes that were made here, and leases them.
    pub fn put(&self, mut bytes: impl Read) -> Result<Lease, StoreError> {
        let staging = staging::Staging::new(&self.layout)?;
        std::io::copy(&mut bytes, &mut staging.file())?;
        std::io::Seek::rewind(&mut staging.file())?;
        let digest = Digest::of_reader(staging.file())?;
        Ok(object::publish(&self.layout, staging, digest)?)
    }

    /// Makes the file `into`, which must not exist, as a job's own view of an artifact.
    pub fn view(&self, artifact: &Artifact, into: &Path, view: View) -> Result<Viewed, ViewError> {
        view::view(artifact, into, view)
    }

    /// Removes what was not used for long, or is too much. What a job uses stays.
    pub fn prune(&self, rules: Prune, now: SystemTime) -> Result<Pruned, StoreError> {
        Ok(prune::prune(&self.layout, rules, now)?)
    }

    /// What the store holds.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        Ok(prune::usage(&self.layout)?)
    }

    /// Reads every object and gives those that are not what their names say. For tests and for a person who
    /// does not trust the disk; takes as long as reading the store.
    pub fn verify(&self) -> Result<Vec<Digest>, StoreError> {
        let mut damaged = Vec::new();
        for directory in std::fs::read_dir(self.layout.objects())? {
            for (digest, path) in digests_in(&directory?.path())? {
                match std::fs::File::open(path) {
                    Ok(file) if Digest::of_reader(&file)? != digest => damaged.push(digest),
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
        }
        Ok(damaged)
    }
}

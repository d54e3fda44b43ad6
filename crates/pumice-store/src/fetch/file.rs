//! A file of this host.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{Fetch, ingest::Input};
use crate::{
    Artifact, Control, FetchError, Origin,
    index::{self, FromFile, Identity},
};

impl Fetch<'_> {
    /// Takes a file of this host into the store, or finds that it did not change since it was taken last.
    pub(super) fn file(&self, path: &Path, control: &mut Control<'_>) -> Result<Artifact, FetchError> {
        let failed = |source| FetchError::File { path: path.to_owned(), source };
        // With its links followed, so that none leads out of what may be read.
        let path = fs::canonicalize(path).map_err(failed)?;
        if let Some(readable) = &self.policy.readable
            && !readable.iter().any(|directory| path.starts_with(directory))
        {
            return Err(FetchError::FileForbidden(path));
        }
        // Before it is opened: to open a pipe nobody writes to would wait for ever.
        if !fs::metadata(&path).map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let begin = SystemTime::now();
        let file = File::open(&path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let identity = Identity::of(&metadata);
        let _lock = self.lock(identity.key(), control)?;
        let hint_path = self.layout.file(identity.key());
        if self.request.use_cache
            && let Some(FromFile { source }) = index::read(&hint_path)
            && let Some((artifact, digests)) = self.recall(source, Origin::Unchanged)?
        {
            self.verify(&digests)?;
            return Ok(artifact);
        }
        let mut input = HostFile { file, path, left: metadata.len(), total: metadata.len() };
        let artifact = self.ingest(&mut input, control)?;
        let after = input.file.metadata().map_err(failed)?;
        if Identity::of(&after) != identity {
            let reason = "it changed while it was read".to_owned();
            return Err(FetchError::Failed { url: self.shown.clone(), attempts: 1, reason });
        }
        if identity.is_settled(begin) {
            index::write(self.layout, &hint_path, FromFile { source: artifact.source_sha256 })?;
        }
        Ok(artifact)
    }
}

/// The bytes of a file of this host.
struct HostFile {
    file: File,
    path: PathBuf,
    left: u64,
    total: u64,
}

impl Input for HostFile {
    fn read(&mut self, buffer: &mut [u8], _: &mut Control<'_>) -> Result<usize, FetchError> {
        let failed = |source| FetchError::File { path: self.path.clone(), source };
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..wanted]).map_err(failed)?;
        if count == 0 && wanted > 0 {
            let message = "it became shorter while it was read";
            return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, message)));
        }
        self.left -= count as u64;
        Ok(count)
    }

    fn total(&self) -> Option<u64> {
        Some(self.total)
    }
}

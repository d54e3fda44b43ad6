//! Where things stand in a store.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::{Digest, StoreError};

/// What the file `version` says.
const VERSION: &str = "pumice-store 1\n";

/// The directories of a store; see the head of the crate.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The store at `root`, whose directories are made where they are missing.
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: root.to_owned(), source };
        fs::create_dir_all(root).map_err(failed)?;
        let layout = Self { root: fs::canonicalize(root).map_err(failed)? };
        layout.check_version()?;
        for name in ["objects", "leases", "sources", "urls", "files", "locks", "tmp"] {
            fs::create_dir_all(layout.root.join(name)).map_err(failed)?;
        }
        Ok(layout)
    }

    fn check_version(&self) -> Result<(), StoreError> {
        let path = self.root.join("version");
        let failed = |source| StoreError::Open { path: self.root.clone(), source };
        match fs::read_to_string(&path) {
            Ok(found) if found == VERSION => Ok(()),
            Ok(found) => Err(StoreError::Version {
                path: self.root.clone(),
                found: found.trim().chars().take(60).collect(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Two that open a new store at once write the same bytes.
                let fresh = self.root.join(format!(".version.{}", std::process::id()));
                fs::write(&fresh, VERSION).and_then(|()| fs::rename(&fresh, &path)).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn object(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.objects().join(&name[..2]).join(&name)
    }

    pub(crate) fn lease(&self, digest: Digest) -> PathBuf {
        self.leases().join(digest.to_string())
    }

    pub(crate) fn source(&self, digest: Digest) -> PathBuf {
        self.sources().join(digest.to_string())
    }

    /// The hint for what came from a URL; `key` is the digest of the URL and its headers.
    pub(crate) fn url(&self, key: Digest) -> PathBuf {
        self.urls().join(key.to_string())
    }

    /// The hint for a file of the host; `key` is the digest of its identity.
    pub(crate) fn file(&self, key: Digest) -> PathBuf {
        self.files().join(key.to_string())
    }

    pub(crate) fn lock(&self, key: Digest) -> PathBuf {
        self.locks().join(key.to_string())
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    pub(crate) fn sources(&self) -> PathBuf {
        self.root.join("sources")
    }

    pub(crate) fn urls(&self) -> PathBuf {
        self.root.join("urls")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

/// The regular files of a directory that are named by a digest, with it. What vanishes meanwhile is left out.
pub(crate) fn digests_in(directory: &Path) -> io::Result<Vec<(Digest, PathBuf)>> {
    let list = match fs::read_dir(directory) {
        Ok(list) => list,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in list {
        let entry = entry?;
        if let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push((digest, entry.path()));
        }
    }
    Ok(found)
}

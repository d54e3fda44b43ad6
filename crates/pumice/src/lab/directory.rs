//! A lab's state directory: where everything is.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use pumice_types::Failure;

use super::host_refused;
use crate::{cli::Places, cli::lab::StateArgs, host};

/// The state directory of a lab.
#[derive(Clone, Debug)]
pub(crate) struct LabDirectory(PathBuf);

impl LabDirectory {
    /// The one that is named, or the user's; it need not be there.
    pub(crate) fn named(args: &StateArgs) -> Self {
        let usual = || host::state_dir(&Places::default()).join("lab");
        Self(args.state.clone().unwrap_or_else(usual))
    }

    /// Makes it, for its owner alone.
    pub(crate) fn create(args: &StateArgs) -> Result<Self, Failure> {
        let directory = Self::named(args);
        private_directory(&directory.0)?;
        // The directory may be older than the lab, and open to others.
        only_for_owner(&directory.server(), 0o700)?;
        only_for_owner(&directory.database_file(), 0o600)?;
        let whole = fs::canonicalize(&directory.0);
        whole.map(Self).map_err(|error| host_refused(&cannot_use(&directory.0), &error))
    }

    /// What the server keeps beside the database.
    pub(crate) fn server(&self) -> PathBuf {
        self.0.join("server")
    }

    /// What the worker of `pumice up` keeps.
    pub(crate) fn worker(&self) -> PathBuf {
        self.0.join("worker")
    }

    /// The device types that ship with pumice, for the server.
    pub(crate) fn device_types(&self) -> PathBuf {
        self.0.join("device-types")
    }

    /// The database that is used where none is named.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite:{}", self.database_file().display())
    }

    /// The file of that database.
    pub(crate) fn database_file(&self) -> PathBuf {
        self.0.join("lab.db")
    }

    /// Itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The first administrator's token.
    pub(crate) fn admin_token(&self) -> PathBuf {
        self.0.join("admin.token")
    }

    /// The server's address, for clients on this host.
    pub(crate) fn address(&self) -> PathBuf {
        self.0.join("address")
    }
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use `{}`", path.display())
}

/// Takes what is there away from everybody else.
fn only_for_owner(path: &Path, mode: u32) -> Result<(), Failure> {
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(host_refused(&cannot_use(path), &error).hint("its owner must start the lab"))
        }
        _ => Ok(()),
    }
}

/// Makes a directory for its owner alone.
pub(crate) fn private_directory(path: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| {
        let refused = host_refused(&cannot_use(path), &error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => refused.hint("it is no directory: name another, or move it away"),
            io::ErrorKind::PermissionDenied => refused.hint("name a directory that this user may write to"),
            _ => refused,
        }
    })
}

/// Makes an empty file for its owner's eyes only, where there is none.
pub(crate) fn private_file(path: &Path) -> Result<(), Failure> {
    let made = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| host_refused(&cannot_use(path), &error))
}

/// Writes a file for its owner's eyes only, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)
    };
    write().map_err(|error| host_refused(&format!("cannot write `{}`", path.display()), &error))
}

//! Giving a job a file of its own without copying it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use pumice_image::{
    CopyMethod, Sharing, copy_view,
    qcow2::{self, Qcow2Error},
    reflink,
};
use pumice_types::{Blame, Cause};

use crate::{Artifact, Lease, error::cause_of_host};

/// What a job does with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Reads it.
    ReadOnly,
    /// Writes it; the file has the same format as the artifact.
    Writable,
    /// Writes it as a disk, and takes a qcow2 image whatever the artifact is: the cheapest for a large disk
    /// where the file system cannot share blocks.
    Disk,
}

/// How the file was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewMethod {
    /// A second name of the object; it must not be written to.
    HardLink,
    /// The file system shares the blocks until they are written.
    Reflink,
    /// A qcow2 image with the object behind it. Its format is qcow2 whatever the artifact's is.
    Qcow2,
    /// A copy without the holes.
    Copy,
}

/// A job's own file. As long as it is there the object stays in the store, on which a qcow2 view depends.
#[derive(Clone, Debug)]
pub struct Viewed {
    /// The file.
    pub path: PathBuf,
    /// How it was made.
    pub method: ViewMethod,
    /// Keeps the object.
    pub lease: Lease,
}

/// A view cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The image would read other files of the host.
    #[error("the image `{0}` keeps its data in another file, `{1}`, which a job's image must not")]
    NotSelfContained(String, String),
    /// The image cannot be read.
    #[error("the image `{name}` cannot be used")]
    Image {
        /// The artifact.
        name: String,
        /// Why.
        #[source]
        source: Qcow2Error,
    },
    /// The file cannot be made.
    #[error("failed to make `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Blame for ViewError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::NotSelfContained(..) => Cause::ImageUnusable,
            Self::Image { source, .. } => source.root_cause(),
            Self::File { source, .. } => cause_of_host(source),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotSelfContained(..) => {
                Some("flatten it with `qemu-img convert` before you publish it".to_owned())
            }
            _ => None,
        }
    }
}

/// Makes the file `into`, which must not exist, from an artifact.
pub(crate) fn view(artifact: &Artifact, into: &Path, view: View) -> Result<Viewed, ViewError> {
    let failed = |source| ViewError::File { path: into.to_owned(), source };
    refuse_references(artifact)?;
    let method = match view {
        View::Disk if reflink(artifact.path(), into).is_ok() => ViewMethod::Reflink,
        View::Disk => {
            qcow2::create_overlay(into, artifact.path())
                .map_err(|source| ViewError::Image { name: artifact.name().to_owned(), source })?;
            ViewMethod::Qcow2
        }
        View::ReadOnly | View::Writable => {
            let sharing = if view == View::ReadOnly { Sharing::ReadOnly } else { Sharing::Writable };
            match copy_view(artifact.path(), into, sharing).map_err(failed)? {
                CopyMethod::HardLink => ViewMethod::HardLink,
                CopyMethod::Reflink => ViewMethod::Reflink,
                CopyMethod::Copy => ViewMethod::Copy,
            }
        }
    };
    Ok(Viewed { path: into.to_owned(), method, lease: artifact.lease().clone() })
}

/// A disk in the qcow2 format names files that a simulator would open for it: a job could read any file of
/// the host through its image.
fn refuse_references(artifact: &Artifact) -> Result<(), ViewError> {
    let image_error = |source| ViewError::Image { name: artifact.name().to_owned(), source };
    let file = fs::File::open(artifact.path())
        .map_err(|source| ViewError::File { path: artifact.path().to_owned(), source })?;
    match qcow2::Header::read(file) {
        Ok(header) if header.is_self_contained() => Ok(()),
        Ok(header) => {
            let other = header.backing_file.unwrap_or_else(|| "an external data file".to_owned());
            Err(ViewError::NotSelfContained(artifact.name().to_owned(), other))
        }
        Err(Qcow2Error::NotQcow2) => Ok(()),
        Err(error) => Err(image_error(error)),
    }
}

//! What a store needs to know of a directory from which it takes things away.

use std::{
    io,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use pumice_types::JobId;

use super::{Directory, LogSize, Place};

/// Names in a directory, as numbers; others are left out, and what is not there has none.
fn numbers(directory: &Path) -> io::Result<Vec<i64>> {
    let names = names(directory)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

impl Directory {
    /// The server's state, in which everything is.
    pub(super) fn state(&self) -> &Path {
        self.jobs_root().parent().unwrap_or(Path::new("/"))
    }

    /// Whether a log is here.
    pub(super) fn has_log(&self, place: Place) -> bool {
        self.log(place).0.is_file()
    }

    /// How long a log is, and where the line begins that is not whole; its index is right afterwards.
    pub(super) fn log_start(&self, place: Place) -> io::Result<(LogSize, u64)> {
        let entry = self.entry(place);
        let mut known = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.written(place, &mut known)?;
        Ok((written.size, written.start))
    }

    /// The jobs of which anything is here.
    pub(super) fn jobs(&self) -> io::Result<Vec<JobId>> {
        let mut found = Vec::new();
        for thousand in numbers(self.jobs_root())? {
            found.extend(numbers(&self.jobs_root().join(thousand.to_string()))?.into_iter().map(JobId));
        }
        Ok(found)
    }

    /// The givings of a job of which anything is here.
    pub(super) fn places_of(&self, job: JobId) -> io::Result<Vec<Place>> {
        let fences = numbers(&self.state().join(super::directory::relative(job)))?;
        Ok(fences.into_iter().map(|fence| Place { job, fence }).collect())
    }

    /// The files of a giving: texts, the log and its index, and whole files that the job left.
    pub(super) fn files_of(&self, place: Place) -> io::Result<Vec<PathBuf>> {
        let directory = self.place(place);
        let mut found = Vec::new();
        for below in [directory.clone(), directory.join("files")] {
            let whole = names(&below)?.into_iter().filter(|name| !name.starts_with('.'));
            found.extend(whole.map(|name| below.join(name)).filter(|path| path.is_file()));
        }
        Ok(found)
    }

    /// The digests of the files that were sent and are whole.
    pub(super) fn whole_uploads(&self) -> io::Result<Vec<String>> {
        let root = self.state().join("uploads");
        let mut found = Vec::new();
        for directory in names(&root)?.into_iter().filter(|name| name.len() == 2) {
            found.extend(names(&root.join(directory))?);
        }
        Ok(found)
    }

    /// Where such a file is.
    pub(super) fn upload_path(&self, sha256: &str) -> PathBuf {
        self.state().join("uploads").join(sha256.get(..2).unwrap_or_default()).join(sha256)
    }
}

//! A file that comes in pieces and is whole once it has the size and the digest that were announced.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{FileAim, FileSize, StoreError, Stored};
use crate::secrets::hexadecimal;

/// Where such a file is, and what it needs beside it while it grows.
pub(super) struct Growing {
    /// The file once it is whole.
    pub(super) whole: PathBuf,
    /// The bytes so far.
    part: PathBuf,
    /// What it is to become: size and digest.
    aim: PathBuf,
}

impl Growing {
    /// A file `directory/name` that grows beside its place.
    pub(super) fn named(directory: &Path, name: &str) -> Self {
        Self::at(directory.join(name), directory, &format!(".{name}"))
    }

    /// A file `whole` that grows in `directory`, under a name that begins with `stem`.
    pub(super) fn at(whole: PathBuf, directory: &Path, stem: &str) -> Self {
        Self {
            whole,
            part: directory.join(format!("{stem}.part")),
            aim: directory.join(format!("{stem}.aim")),
        }
    }

    /// How much of it is there.
    pub(super) fn size(&self) -> io::Result<FileSize> {
        if let Some(bytes) = length(&self.whole)? {
            return Ok(FileSize { bytes, complete: true });
        }
        self.part_size()
    }

    /// How many bytes came so far of what is not whole.
    pub(super) fn part_size(&self) -> io::Result<FileSize> {
        Ok(FileSize { bytes: length(&self.part)?.unwrap_or(0), complete: false })
    }

    /// Whether what came so far is to become this.
    pub(super) fn has_aim(&self, aim: &FileAim) -> bool {
        fs_err::read_to_string(&self.aim).is_ok_and(|text| text == aim_text(aim))
    }

    /// Begins anew, towards `aim`.
    pub(super) fn begin(&self, aim: &FileAim) -> io::Result<()> {
        for directory in [self.whole.parent(), self.part.parent()].into_iter().flatten() {
            fs_err::create_dir_all(directory)?;
        }
        remove(&self.part)?;
        fs_err::write(&self.aim, aim_text(aim))
    }

    /// Adds a piece whose first byte is number `offset`; what is there already is skipped. The last piece checks the digest and
    /// puts the file in its place; a file that is there already is replaced by the same one.
    pub(super) fn append(&self, aim: &FileAim, offset: u64, bytes: &[u8]) -> Result<FileSize, StoreError> {
        let have = self.part_size()?.bytes;
        let skipped = have.checked_sub(offset).ok_or(StoreError::Gap { have, offset })?;
        let fresh =
            usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&self.part)?;
        file.write_all(fresh)?;
        file.sync_data()?;
        let have = have + fresh.len() as u64;
        if have < aim.size {
            return Ok(FileSize { bytes: have, complete: false });
        }
        if have > aim.size || digest(&self.part)? != aim.sha256 {
            remove(&self.part)?;
            return Err(StoreError::WrongDigest);
        }
        fs_err::rename(&self.part, &self.whole)?;
        Ok(FileSize { bytes: have, complete: true })
    }

    /// Removes what came so far.
    pub(super) fn give_up(&self) -> io::Result<()> {
        remove(&self.part)?;
        remove(&self.aim)
    }
}

fn aim_text(aim: &FileAim) -> String {
    format!("{} {}\n", aim.size, aim.sha256)
}

/// The bytes of a file from number `from` on; `None` when it is not there.
pub(super) fn read(path: &Path, from: u64) -> io::Result<Option<Stored>> {
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.min(size)))?;
    Ok(Some(Stored { size, rest: Box::new(file) }))
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs_err::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file. What is gone already is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

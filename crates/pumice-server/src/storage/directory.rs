//! Logs and files in a directory, layout 1:
//!
//! ```text
//! jobs/layout                      `1`
//! jobs/12/12345/3/output.yaml      the log of giving 3 of job 12345, `12` being the thousands
//! jobs/12/12345/3/output.idx       where its lines begin
//! jobs/12/12345/3/files/NAME       a whole file
//! jobs/12/12345/3/files/.NAME.part a file that is being sent, and `.NAME.aim`, what it is to become
//! jobs/12/12345/3/NAME             a text of the server's own
//! uploads/                         files that people sent for their jobs, see `uploads.rs`
//! ```

use std::{
    collections::HashMap,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use pumice_types::{JobId, Name};

use super::{
    FileAim, FileSize, LogSize, Place, Storage, StoreError, Stored,
    growing::{self, Growing},
    index,
    uploads::Uploads,
};

/// The layout this program writes.
const LAYOUT: &str = "1";

/// Logs whose length is remembered; beyond, those not being written are looked up anew.
const REMEMBERED: usize = 4096;

/// Keeps logs and files in a directory.
pub struct Directory {
    root: PathBuf,
    /// How long each log is that is being written. The inner lock makes appends take turns.
    logs: Mutex<HashMap<Place, Arc<Mutex<Option<Written>>>>>,
    uploads: Uploads,
}

/// How much of a log is written.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub(super) size: LogSize,
    /// Where the line that is not whole yet begins.
    pub(super) start: u64,
}

impl Directory {
    /// Uses `jobs` and `uploads` in `state`, made when they are missing. A directory of another layout is refused.
    pub fn open(state: impl AsRef<Path>) -> io::Result<Self> {
        let root = state.as_ref().join("jobs");
        fs_err::create_dir_all(&root)?;
        let layout = root.join("layout");
        match fs_err::read_to_string(&layout) {
            Ok(text) if text.trim() == LAYOUT => {}
            Ok(text) => {
                let message =
                    format!("`{}` has layout {}, this program knows {LAYOUT}", root.display(), text.trim());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs_err::write(&layout, LAYOUT)?,
            Err(error) => return Err(error),
        }
        let uploads = Uploads::in_directory(state.as_ref().join("uploads"));
        Ok(Self { root, logs: Mutex::default(), uploads })
    }

    #[cfg(feature = "s3")]
    pub(super) fn jobs_root(&self) -> &Path {
        &self.root
    }

    pub(super) fn place(&self, place: Place) -> PathBuf {
        self.root.join(below_jobs(place.job)).join(place.fence.to_string())
    }

    pub(super) fn log(&self, place: Place) -> (PathBuf, PathBuf) {
        let directory = self.place(place);
        (directory.join("output.yaml"), directory.join("output.idx"))
    }

    fn file(&self, place: Place, name: &Name) -> Growing {
        Growing::named(&self.place(place).join("files"), name.as_str())
    }

    pub(super) fn entry(&self, place: Place) -> Arc<Mutex<Option<Written>>> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.len() >= REMEMBERED {
            logs.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        Arc::clone(logs.entry(place).or_default())
    }

    /// How long a log is, from memory or from the disk.
    pub(super) fn written(&self, place: Place, known: &mut Option<Written>) -> io::Result<Written> {
        if let Some(written) = known {
            return Ok(*written);
        }
        let (log, index) = self.log(place);
        let size = index::rebuild(&log, &index)?;
        let start = last_start(&log, size)?;
        let written = Written { size, start };
        *known = Some(written);
        Ok(written)
    }
}

/// Where a job is, below `jobs`.
fn below_jobs(job: JobId) -> PathBuf {
    PathBuf::from((job.0 / 1000).to_string()).join(job.0.to_string())
}

/// Where a job is, below the server's state.
#[cfg(feature = "s3")]
pub(super) fn relative(job: JobId) -> PathBuf {
    Path::new("jobs").join(below_jobs(job))
}

/// Where the unfinished last line begins: behind the last newline.
fn last_start(log: &Path, size: LogSize) -> io::Result<u64> {
    if size.bytes == 0 {
        return Ok(0);
    }
    let mut file = fs_err::File::open(log)?;
    let mut end = size.bytes;
    let mut buffer = [0; 4096];
    while end > 0 {
        let begin = end.saturating_sub(buffer.len() as u64);
        let piece = &mut buffer[..usize::try_from(end - begin).unwrap_or(0)];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

impl Storage for Directory {
    fn log_size(&self, place: Place) -> io::Result<LogSize> {
        let entry = self.entry(place);
        let mut known = entry.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.written(place, &mut known)?.size)
    }

    fn append_log(&self, place: Place, offset: u64, bytes: &[u8]) -> Result<LogSize, StoreError> {
        let entry = self.entry(place);
        let mut known = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.written(place, &mut known)?;
        let have = written.size.bytes;
        let skipped = have.checked_sub(offset).ok_or(StoreError::Gap { have, offset })?;
        let fresh =
            usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
        if fresh.is_empty() {
            return Ok(written.size);
        }
        let (log, index) = self.log(place);
        if have == 0 {
            fs_err::create_dir_all(self.place(place))?;
        }
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&log)?;
        // What follows is known again only when all of it went well.
        *known = None;
        file.write_all(fresh)?;
        file.sync_data()?;
        let (start, lines) = index::extend(&index, written.start, have, fresh)?;
        let size = LogSize { bytes: have + fresh.len() as u64, lines: written.size.lines + lines };
        *known = Some(Written { size, start });
        Ok(size)
    }

    fn read_log(&self, place: Place, first: u64, end: Option<u64>, limit: usize) -> io::Result<Vec<u8>> {
        let size = self.log_size(place)?;
        let end = end.unwrap_or(size.lines).min(size.lines);
        if first >= end {
            return Ok(Vec::new());
        }
        let (log, index) = self.log(place);
        let Some(begin) = index::begin(&index, first)? else { return Ok(Vec::new()) };
        let until = match index::begin(&index, end)? {
            Some(until) => until,
            None => last_start(&log, size)?,
        };
        let mut file = fs_err::File::open(&log)?;
        file.seek(SeekFrom::Start(begin))?;
        let span = until.saturating_sub(begin);
        let mut bytes = Vec::new();
        file.take(span.min(limit as u64)).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < span {
            super::end_with_a_line(&mut bytes);
        }
        Ok(bytes)
    }

    fn read_log_bytes(&self, place: Place, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let (log, _) = self.log(place);
        let mut file = match fs_err::File::open(&log) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // No file has a place beyond what a signed number can say (lseek(2)).
        file.seek(SeekFrom::Start(offset.min(i64::MAX.unsigned_abs())))?;
        let mut bytes = Vec::new();
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn file_size(&self, place: Place, name: &Name) -> io::Result<FileSize> {
        self.file(place, name).size()
    }

    fn append_file(
        &self,
        place: Place,
        name: &Name,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError> {
        // One file of a job at a time is what workers send; its log's lock serves.
        let entry = self.entry(place);
        let _turn = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file(place, name);
        if !file.has_aim(aim) {
            growing::remove(&file.whole)?;
            file.begin(aim)?;
        }
        let size = file.size()?;
        if size.complete { Ok(size) } else { file.append(aim, offset, bytes) }
    }

    fn read_file(&self, place: Place, name: &Name, from: u64) -> io::Result<Option<Stored>> {
        growing::read(&self.file(place, name).whole, from)
    }

    fn put_text(&self, place: Place, name: &str, text: &str) -> io::Result<()> {
        let directory = self.place(place);
        fs_err::create_dir_all(&directory)?;
        let temporary = directory.join(format!(".{name}.new"));
        fs_err::write(&temporary, text)?;
        fs_err::rename(temporary, directory.join(name))
    }

    fn remove(&self, job: JobId) -> io::Result<()> {
        let path = self.root.join(below_jobs(job));
        match fs_err::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn text(&self, place: Place, name: &str) -> io::Result<Option<String>> {
        match fs_err::read_to_string(self.place(place).join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn upload_size(&self, owner: i64, sha256: &str) -> io::Result<FileSize> {
        self.uploads.size(owner, sha256)
    }

    fn append_upload(
        &self,
        owner: i64,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError> {
        self.uploads.append(owner, aim, offset, bytes)
    }

    fn read_upload(&self, sha256: &str, from: u64) -> io::Result<Option<Stored>> {
        self.uploads.read(sha256, from)
    }

    fn give_up_upload(&self, owner: i64, sha256: &str) -> io::Result<()> {
        self.uploads.give_up(owner, sha256)
    }

    fn remove_upload(&self, sha256: &str) -> io::Result<()> {
        self.uploads.remove(sha256)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::secrets::hexadecimal;

    const ALL: usize = 1 << 20;
    const PLACE: Place = Place { job: JobId(12345), fence: 3 };

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_log_grows_by_pieces_that_may_come_twice() {
        let directory = tempfile::tempdir().unwrap();
        let store = Directory::open(directory.path()).unwrap();
        assert_eq!(store.log_size(PLACE).unwrap(), LogSize::default());
        assert_eq!(store.append_log(PLACE, 0, b"- a\n- b").unwrap(), LogSize { bytes: 7, lines: 1 });
        assert_eq!(store.append_log(PLACE, 4, b"- bc\n- d\n").unwrap(), LogSize { bytes: 13, lines: 3 });
        assert_eq!(store.append_log(PLACE, 0, b"- a\n").unwrap(), LogSize { bytes: 13, lines: 3 });
        assert!(matches!(store.append_log(PLACE, 14, b"x"), Err(StoreError::Gap { have: 13, offset: 14 })));
        assert_eq!(text(&store.read_log(PLACE, 0, None, ALL).unwrap()), "- a\n- bc\n- d\n");
        assert_eq!(text(&store.read_log(PLACE, 1, Some(2), ALL).unwrap()), "- bc\n");
        assert_eq!(text(&store.read_log(PLACE, 2, Some(99), ALL).unwrap()), "- d\n");
        assert_eq!(text(&store.read_log(PLACE, 3, None, ALL).unwrap()), "");
        assert_eq!(text(&store.read_log(PLACE, 0, None, 11).unwrap()), "- a\n- bc\n", "as many as fit");
        assert_eq!(
            text(&store.read_log(PLACE, 1, None, 3).unwrap()),
            "- b\n",
            "a line that is too long is cut"
        );
    }

    #[test]
    fn a_lost_or_wrong_index_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let store = Directory::open(directory.path()).unwrap();
        store.append_log(PLACE, 0, b"- a\n- b\n- unfin").unwrap();
        let index = directory.path().join("jobs/12/12345/3/output.idx");
        for damage in [b"".as_slice(), b"garbage!garbage!garbage!garbage!"] {
            std::fs::write(&index, damage).unwrap();
            let store = Directory::open(directory.path()).unwrap();
            assert_eq!(store.log_size(PLACE).unwrap(), LogSize { bytes: 15, lines: 2 });
            assert_eq!(text(&store.read_log(PLACE, 1, None, ALL).unwrap()), "- b\n");
        }
        let store = Directory::open(directory.path()).unwrap();
        assert_eq!(store.append_log(PLACE, 15, b"ished\n").unwrap().lines, 3);
        assert_eq!(text(&store.read_log(PLACE, 2, None, ALL).unwrap()), "- unfinished\n");
    }

    #[test]
    fn a_file_is_whole_only_with_its_digest() {
        let directory = tempfile::tempdir().unwrap();
        let store = Directory::open(directory.path()).unwrap();
        let name: Name = "trace.bin".parse().unwrap();
        let aim = FileAim { size: 6, sha256: hexadecimal(&Sha256::digest(b"abcdef")) };
        assert_eq!(
            store.append_file(PLACE, &name, &aim, 0, b"abc").unwrap(),
            FileSize { bytes: 3, complete: false }
        );
        assert!(matches!(
            store.append_file(PLACE, &name, &aim, 4, b"x"),
            Err(StoreError::Gap { have: 3, .. })
        ));
        assert!(matches!(store.append_file(PLACE, &name, &aim, 3, b"xyz"), Err(StoreError::WrongDigest)));
        assert_eq!(store.file_size(PLACE, &name).unwrap(), FileSize { bytes: 0, complete: false });
        assert!(store.append_file(PLACE, &name, &aim, 0, b"abcdef").unwrap().complete);
        assert!(store.append_file(PLACE, &name, &aim, 3, b"def").unwrap().complete, "a repetition");
        let mut stored = store.read_file(PLACE, &name, 2).unwrap().unwrap();
        let mut rest = Vec::new();
        stored.rest.read_to_end(&mut rest).unwrap();
        assert_eq!((stored.size, rest.as_slice()), (6, b"cdef".as_slice()));
        let other = FileAim { size: 0, sha256: hexadecimal(&Sha256::digest(b"")) };
        assert_eq!(
            store.append_file(PLACE, &name, &other, 0, b"").unwrap(),
            FileSize { bytes: 0, complete: true }
        );
    }

    #[test]
    fn another_layout_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("jobs")).unwrap();
        std::fs::write(directory.path().join("jobs/layout"), "2").unwrap();
        assert!(Directory::open(directory.path()).is_err());
    }
}

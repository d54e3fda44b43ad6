//! Logs and files in a directory, layout 1:
//!
//! ```text
//! jobs/layout                      `1`
//! jobs/12/12345/3/output.yaml      the log of giving 3 of job 12345, `12` being the thousands
//! jobs/12/12345/3/output.idx       where its lines begin
//! jobs/12/12345/3/files/NAME       a whole file
//! jobs/12/12345/3/files/.NAME.part a file that is being sent, and `.NAME.aim`, what it is to become
//! jobs/12/12345/3/NAME             a text of the server's own
//! ```

use std::{
    collections::HashMap,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use pumice_types::{JobId, Name};
use sha2::{Digest as _, Sha256};

use super::{FileAim, FileSize, LogSize, Place, Storage, StoreError, index};
use crate::secrets::hexadecimal;

/// The layout this program writes.
const LAYOUT: &str = "1";

/// Logs whose length is remembered; beyond, those not being written are looked up anew.
const REMEMBERED: usize = 4096;

/// Keeps logs and files in a directory.
pub struct Directory {
    root: PathBuf,
    /// How long each log is that is being written. The inner lock makes appends take turns.
    logs: Mutex<HashMap<Place, Arc<Mutex<Option<Written>>>>>,
}

#[derive(Clone, Copy)]
struct Written {
    size: LogSize,
    /// Where the line that is not whole yet begins.
    start: u64,
}

impl Directory {
    /// Uses `root`, made when it is missing. A directory of another layout is refused.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
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
        Ok(Self { root, logs: Mutex::default() })
    }

    fn place(&self, place: Place) -> PathBuf {
        let job = place.job.0;
        self.root.join((job / 1000).to_string()).join(job.to_string()).join(place.fence.to_string())
    }

    fn log(&self, place: Place) -> (PathBuf, PathBuf) {
        let directory = self.place(place);
        (directory.join("output.yaml"), directory.join("output.idx"))
    }

    fn entry(&self, place: Place) -> Arc<Mutex<Option<Written>>> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.len() >= REMEMBERED {
            logs.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        Arc::clone(logs.entry(place).or_default())
    }

    /// How long a log is, from memory or from the disk.
    fn written(&self, place: Place, known: &mut Option<Written>) -> io::Result<Written> {
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
            match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => bytes.truncate(at + 1),
                None => bytes.push(b'\n'),
            }
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
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn file_size(&self, place: Place, name: &Name) -> io::Result<FileSize> {
        let paths = FilePaths::of(&self.place(place), name);
        if let Some(bytes) = length(&paths.whole)? {
            return Ok(FileSize { bytes, complete: true });
        }
        Ok(FileSize { bytes: length(&paths.part)?.unwrap_or(0), complete: false })
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
        let paths = FilePaths::of(&self.place(place), name);
        fs_err::create_dir_all(&paths.directory)?;
        let wanted = format!("{} {}\n", aim.size, aim.sha256);
        if fs_err::read_to_string(&paths.aim).ok().as_deref() != Some(wanted.as_str()) {
            for path in [&paths.whole, &paths.part] {
                remove(path)?;
            }
            fs_err::write(&paths.aim, &wanted)?;
        }
        if let Some(bytes) = length(&paths.whole)? {
            return Ok(FileSize { bytes, complete: true });
        }
        let have = length(&paths.part)?.unwrap_or(0);
        let skipped = have.checked_sub(offset).ok_or(StoreError::Gap { have, offset })?;
        let fresh =
            usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)).unwrap_or_default();
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&paths.part)?;
        file.write_all(fresh)?;
        file.sync_data()?;
        let have = have + fresh.len() as u64;
        if have < aim.size {
            return Ok(FileSize { bytes: have, complete: false });
        }
        if have > aim.size || digest(&paths.part)? != aim.sha256 {
            remove(&paths.part)?;
            return Err(StoreError::WrongDigest);
        }
        fs_err::rename(&paths.part, &paths.whole)?;
        Ok(FileSize { bytes: have, complete: true })
    }

    fn file(&self, place: Place, name: &Name) -> io::Result<Option<PathBuf>> {
        let paths = FilePaths::of(&self.place(place), name);
        Ok(length(&paths.whole)?.map(|_| paths.whole))
    }

    fn put_text(&self, place: Place, name: &str, text: &str) -> io::Result<()> {
        let directory = self.place(place);
        fs_err::create_dir_all(&directory)?;
        let temporary = directory.join(format!(".{name}.new"));
        fs_err::write(&temporary, text)?;
        fs_err::rename(temporary, directory.join(name))
    }

    fn remove(&self, job: JobId) -> io::Result<()> {
        let path = self.root.join((job.0 / 1000).to_string()).join(job.0.to_string());
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
}

struct FilePaths {
    directory: PathBuf,
    whole: PathBuf,
    part: PathBuf,
    aim: PathBuf,
}

impl FilePaths {
    fn of(place: &Path, name: &Name) -> Self {
        let directory = place.join("files");
        Self {
            whole: directory.join(name.as_str()),
            part: directory.join(format!(".{name}.part")),
            aim: directory.join(format!(".{name}.aim")),
            directory,
        }
    }
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs_err::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let index = directory.path().join("12/12345/3/output.idx");
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
        assert_eq!(std::fs::read(store.file(PLACE, &name).unwrap().unwrap()).unwrap(), b"abcdef");
        let other = FileAim { size: 0, sha256: hexadecimal(&Sha256::digest(b"")) };
        assert_eq!(
            store.append_file(PLACE, &name, &other, 0, b"").unwrap(),
            FileSize { bytes: 0, complete: true }
        );
    }

    #[test]
    fn another_layout_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("layout"), "2").unwrap();
        assert!(Directory::open(directory.path()).is_err());
    }
}

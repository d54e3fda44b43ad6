//! Logs and files in an S3-compatible store, once nothing is added to them any more.
//!
//! What still grows is in a directory: a log is appended to line by line, and S3 has no appending. When a job has ended, and when
//! a file that was sent is whole, [`Storage::settle`] puts it into the store under the directory's own names and removes it here.
//! A crash between the two leaves both, and the next time does it again.

use std::{
    io::{self, Read as _},
    ops::Range,
    path::Path as FilePath,
    sync::{Arc, PoisonError, RwLock},
};

use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart, path::Path,
};
use pumice_types::{JobId, Name};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::{
    Directory, FileAim, FileSize, LogSize, Place, Storage, StoreError, Stored, directory::relative, index,
};

/// What is sent at once; more than S3's least part of 5 MiB.
const PIECE: usize = 8 << 20;

/// A log's length, beside it.
const SUMMARY: &str = "output.json";

/// Keeps what grows in a directory, and what does not in a store behind `object_store`.
pub struct Bucket {
    near: Directory,
    far: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: Handle,
    /// Held alone while something is removed here that is there now.
    moving: RwLock<()>,
}

/// What is known of a log without reading it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Summary {
    bytes: u64,
    lines: u64,
    /// Where the line that is not whole begins.
    start: u64,
}

impl Bucket {
    /// Uses `prefix` of a store; to be called inside the runtime whose timers its requests may use.
    pub fn new(near: Directory, far: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self { near, far, prefix: Path::from(prefix), runtime: Handle::current(), moving: RwLock::new(()) }
    }

    fn ask<T>(&self, what: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
        self.runtime.block_on(what).map_err(io::Error::from)
    }

    /// The same, `None` for what is not there.
    fn find<T>(&self, what: impl Future<Output = object_store::Result<T>>) -> io::Result<Option<T>> {
        match self.runtime.block_on(what) {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The key of a file that the directory would keep at `path` below the server's state.
    fn key(&self, path: &FilePath) -> Path {
        let names = path.iter().map(|name| name.to_string_lossy().into_owned());
        names.fold(self.prefix.clone(), Path::join)
    }

    fn key_in(&self, place: Place, name: &str) -> Path {
        self.key(&relative(place.job).join(place.fence.to_string()).join(name))
    }

    fn upload_key(&self, sha256: &str) -> Path {
        let directory = FilePath::new("uploads").join(sha256.get(..2).unwrap_or_default());
        self.key(&directory.join(sha256))
    }

    fn bytes(&self, key: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.find(self.far.get_range(key, range))?.map(|bytes| bytes.to_vec()).unwrap_or_default())
    }

    fn whole(&self, key: &Path) -> io::Result<Option<Vec<u8>>> {
        let get = async { self.far.get(key).await?.bytes().await };
        Ok(self.find(get)?.map(|bytes| bytes.to_vec()))
    }

    /// The bytes of an object from `from` on, read in pieces.
    fn read(&self, key: Path, from: u64) -> io::Result<Option<Stored>> {
        let Some(found) = self.find(self.far.head(&key))? else { return Ok(None) };
        let rest = Pieces {
            far: Arc::clone(&self.far),
            runtime: self.runtime.clone(),
            key,
            next: from.min(found.size),
            size: found.size,
            piece: io::Cursor::new(Vec::new()),
        };
        Ok(Some(Stored { size: found.size, rest: Box::new(rest) }))
    }

    fn summary(&self, place: Place) -> io::Result<Summary> {
        let found = self.whole(&self.key_in(place, SUMMARY))?;
        Ok(found.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default())
    }

    /// Where line `number` of a log begins, or where the last one ends that is whole.
    fn line(&self, place: Place, number: u64, summary: Summary) -> io::Result<u64> {
        if number >= summary.lines {
            return Ok(summary.start);
        }
        let begin = number * index::ENTRY;
        let entry = self.bytes(&self.key_in(place, "output.idx"), begin..begin + index::ENTRY)?;
        entry.try_into().map(u64::from_le_bytes).map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends a file, in parts when it is large.
    fn send(&self, path: &FilePath, key: &Path) -> io::Result<()> {
        let mut file = fs_err::File::open(path)?;
        let mut piece = Vec::new();
        (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.len() < PIECE {
            return self.ask(self.far.put(key, PutPayload::from(piece))).map(drop);
        }
        let mut parts = WriteMultipart::new_with_chunk_size(self.ask(self.far.put_multipart(key))?, PIECE);
        while !piece.is_empty() {
            // One part at a time: the next is read when this one was taken.
            self.ask(parts.wait_for_capacity(1))?;
            parts.write(&piece);
            piece.clear();
            (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
        }
        self.ask(parts.finish()).map(drop)
    }

    /// Sends everything of a giving of a job. The log comes last: as long as it is here, nobody looks there.
    fn send_place(&self, place: Place) -> io::Result<()> {
        let log = self.near.log_start(place)?;
        let summary = Summary { bytes: log.0.bytes, lines: log.0.lines, start: log.1 };
        let text = serde_json::to_vec(&summary)?;
        self.ask(self.far.put(&self.key_in(place, SUMMARY), PutPayload::from(text)))?;
        let (mut others, log) = (Vec::new(), "output.yaml");
        for path in self.near.files_of(place)? {
            if path.file_name().is_none_or(|name| name != log) {
                others.push(path);
            }
        }
        let state = self.near.state().to_owned();
        let path = state.join(relative(place.job)).join(place.fence.to_string()).join(log);
        others.extend(path.is_file().then_some(path));
        for path in others {
            let below = path.strip_prefix(&state).map_err(io::Error::other)?;
            self.send(&path, &self.key(below))?;
        }
        Ok(())
    }

    fn remove_below(&self, key: &Path) -> io::Result<()> {
        let listed = self.ask(self.far.list_with_delimiter(Some(key)))?;
        for object in listed.objects {
            self.find(self.far.delete(&object.location))?;
        }
        listed.common_prefixes.iter().try_for_each(|inner| self.remove_below(inner))
    }
}

/// Reads an object, a piece at a time.
struct Pieces {
    far: Arc<dyn ObjectStore>,
    runtime: Handle,
    key: Path,
    next: u64,
    size: u64,
    piece: io::Cursor<Vec<u8>>,
}

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.position() >= self.piece.get_ref().len() as u64 && self.next < self.size {
            let end = self.size.min(self.next + PIECE as u64);
            let range = Some(GetRange::Bounded(self.next..end));
            let options = GetOptions { range, ..GetOptions::default() };
            let get = async { self.far.get_opts(&self.key, options).await?.bytes().await };
            self.piece = io::Cursor::new(self.runtime.block_on(get)?.to_vec());
            self.next = end;
        }
        self.piece.read(buffer)
    }
}

impl Storage for Bucket {
    fn log_size(&self, place: Place) -> io::Result<LogSize> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        if self.near.has_log(place) {
            return self.near.log_size(place);
        }
        let Summary { bytes, lines, .. } = self.summary(place)?;
        Ok(LogSize { bytes, lines })
    }

    fn append_log(&self, place: Place, offset: u64, bytes: &[u8]) -> Result<LogSize, StoreError> {
        self.near.append_log(place, offset, bytes)
    }

    fn read_log(&self, place: Place, first: u64, end: Option<u64>, limit: usize) -> io::Result<Vec<u8>> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        if self.near.has_log(place) {
            return self.near.read_log(place, first, end, limit);
        }
        let summary = self.summary(place)?;
        let end = end.unwrap_or(summary.lines).min(summary.lines);
        if first >= end {
            return Ok(Vec::new());
        }
        let (start, until) = (self.line(place, first, summary)?, self.line(place, end, summary)?);
        let cut = until.min(start.saturating_add(limit as u64));
        let mut bytes = self.bytes(&self.key_in(place, "output.yaml"), start..cut)?;
        if cut < until {
            super::end_with_a_line(&mut bytes);
        }
        Ok(bytes)
    }

    fn read_log_bytes(&self, place: Place, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        if self.near.has_log(place) {
            return self.near.read_log_bytes(place, offset, limit);
        }
        let end = self.summary(place)?.bytes.min(offset.saturating_add(limit as u64));
        self.bytes(&self.key_in(place, "output.yaml"), offset..end)
    }

    fn file_size(&self, place: Place, name: &Name) -> io::Result<FileSize> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let near = self.near.file_size(place, name)?;
        if near.complete || near.bytes > 0 {
            return Ok(near);
        }
        let found = self.find(self.far.head(&self.key_in(place, &format!("files/{name}"))))?;
        Ok(found.map_or(near, |found| FileSize { bytes: found.size, complete: true }))
    }

    fn append_file(
        &self,
        place: Place,
        name: &Name,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError> {
        self.near.append_file(place, name, aim, offset, bytes)
    }

    fn read_file(&self, place: Place, name: &Name, from: u64) -> io::Result<Option<Stored>> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        match self.near.read_file(place, name, from)? {
            Some(near) => Ok(Some(near)),
            None => self.read(self.key_in(place, &format!("files/{name}")), from),
        }
    }

    fn put_text(&self, place: Place, name: &str, text: &str) -> io::Result<()> {
        self.near.put_text(place, name, text)
    }

    fn text(&self, place: Place, name: &str) -> io::Result<Option<String>> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(near) = self.near.text(place, name)? {
            return Ok(Some(near));
        }
        let found = self.whole(&self.key_in(place, name))?;
        found.map(|text| String::from_utf8(text).map_err(io::Error::other)).transpose()
    }

    fn remove(&self, job: JobId) -> io::Result<()> {
        self.near.remove(job)?;
        self.remove_below(&self.key(&relative(job)))
    }

    fn upload_size(&self, owner: i64, sha256: &str) -> io::Result<FileSize> {
        self.near.upload_size(owner, sha256)
    }

    fn append_upload(
        &self,
        owner: i64,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError> {
        self.near.append_upload(owner, aim, offset, bytes)
    }

    fn read_upload(&self, sha256: &str, from: u64) -> io::Result<Option<Stored>> {
        let _stays = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        match self.near.read_upload(sha256, from)? {
            Some(near) => Ok(Some(near)),
            None => self.read(self.upload_key(sha256), from),
        }
    }

    fn give_up_upload(&self, owner: i64, sha256: &str) -> io::Result<()> {
        self.near.give_up_upload(owner, sha256)
    }

    fn remove_upload(&self, sha256: &str) -> io::Result<()> {
        self.near.remove_upload(sha256)?;
        self.find(self.far.delete(&self.upload_key(sha256))).map(drop)
    }

    fn unsettled(&self) -> io::Result<Vec<JobId>> {
        self.near.jobs()
    }

    fn settle(&self, ended: &[JobId]) -> io::Result<()> {
        for job in ended {
            for place in self.near.places_of(*job)? {
                self.send_place(place)?;
            }
            let _alone = self.moving.write().unwrap_or_else(PoisonError::into_inner);
            self.near.remove(*job)?;
        }
        for sha256 in self.near.whole_uploads()? {
            let path = self.near.upload_path(&sha256);
            self.send(&path, &self.upload_key(&sha256))?;
            let _alone = self.moving.write().unwrap_or_else(PoisonError::into_inner);
            self.near.remove_upload(&sha256)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    const JOB: JobId = JobId(12345);
    const PLACE: Place = Place { job: JOB, fence: 3 };
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn read(stored: Option<Stored>) -> Option<(u64, String)> {
        let mut stored = stored?;
        let mut text = String::new();
        stored.rest.read_to_string(&mut text).unwrap();
        Some((stored.size, text))
    }

    /// Everything that can be asked of the store.
    fn asked(store: &Bucket) -> Vec<String> {
        let name: Name = "trace.txt".parse().unwrap();
        let cut =
            |first, end, limit| String::from_utf8(store.read_log(PLACE, first, end, limit).unwrap()).unwrap();
        let line = |first, end| cut(first, end, usize::MAX);
        vec![
            format!("{:?}", store.log_size(PLACE).unwrap()),
            line(0, None),
            line(1, Some(2)),
            line(2, Some(99)),
            line(7, None),
            cut(0, None, 11),
            cut(1, None, 3),
            String::from_utf8(store.read_log_bytes(PLACE, 3, 5).unwrap()).unwrap(),
            String::from_utf8(store.read_log_bytes(PLACE, 99, 5).unwrap()).unwrap(),
            format!("{:?}", store.file_size(PLACE, &name).unwrap()),
            format!("{:?}", read(store.read_file(PLACE, &name, 2).unwrap())),
            format!("{:?}", store.text(PLACE, "description.yaml").unwrap()),
            format!("{:?}", store.text(PLACE, "absent").unwrap()),
            format!("{:?}", read(store.read_upload(HELLO, 0).unwrap())),
        ]
    }

    #[test]
    fn what_has_ended_is_the_same_from_the_bucket_and_nothing_is_left_of_it_here() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let near = Directory::open(directory.path()).unwrap();
        let store = Bucket::new(near, Arc::new(InMemory::new()), "lab/one");
        let aim = FileAim { size: 5, sha256: HELLO.to_owned() };
        store.append_log(PLACE, 0, b"- a\n- bc\n- d\n- unfin").unwrap();
        store.append_file(PLACE, &"trace.txt".parse().unwrap(), &aim, 0, b"hello").unwrap();
        store.put_text(PLACE, "description.yaml", "x: 1\n").unwrap();
        store.append_upload(7, &aim, 0, b"hello").unwrap();
        store.append_log(Place { job: JobId(2), fence: 1 }, 0, b"- runs\n").unwrap();
        let before = asked(&store);
        assert_eq!(before[1], "- a\n- bc\n- d\n");

        let mut jobs = store.unsettled().unwrap();
        jobs.sort_unstable();
        assert_eq!(jobs, [JobId(2), JOB]);
        store.settle(&[JOB]).unwrap();
        assert_eq!(store.unsettled().unwrap(), [JobId(2)]);
        assert!(!directory.path().join("jobs/12/12345").exists());
        assert_eq!(store.near.whole_uploads().unwrap(), [""; 0]);
        assert_eq!(asked(&store), before);
        store.settle(&[JOB]).unwrap();
        assert_eq!(asked(&store), before, "there is nothing to move");

        store.remove(JOB).unwrap();
        store.remove_upload(HELLO).unwrap();
        store.remove_upload(HELLO).unwrap();
        assert_eq!(store.log_size(PLACE).unwrap(), LogSize::default());
        assert!(read(store.read_upload(HELLO, 0).unwrap()).is_none());
    }
}

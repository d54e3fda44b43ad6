//! Where logs, files of jobs, and files sent for jobs are kept. A seam: the directory is one implementation, and with the feature
//! `s3` an S3-compatible store behind it another.

#[cfg(feature = "s3")]
mod bucket;
mod directory;
mod growing;
mod index;
#[cfg(feature = "s3")]
mod near;
#[cfg(feature = "s3")]
mod s3;
mod uploads;

#[cfg(feature = "s3")]
pub use bucket::Bucket;
#[cfg(feature = "s3")]
pub use s3::{S3Error, open as open_s3};

pub use directory::Directory;

use std::io;

use pumice_types::{JobId, Name};

/// One giving of a job: its log and files are kept apart from those of another giving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The job.
    pub job: JobId,
    /// Which giving.
    pub fence: i64,
}

/// How long a log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSize {
    /// Bytes.
    pub bytes: u64,
    /// Whole lines.
    pub lines: u64,
}

/// How much of a file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSize {
    /// Bytes.
    pub bytes: u64,
    /// Whether it is whole and had the digest that was announced.
    pub complete: bool,
}

/// What a file is to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAim {
    /// Its size in the end.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Bytes before these are missing.
    #[error("there are {have} bytes, and these begin at {offset}")]
    Gap {
        /// How many there are.
        have: u64,
        /// Where the new ones begin.
        offset: u64,
    },
    /// The file is not what was announced.
    #[error("the bytes do not have the digest that was announced")]
    WrongDigest,
    /// The job has ended: what it left stays as it is.
    #[error("the job has ended, and nothing is added to it any more")]
    Ended,
    /// It is kept, and the server could not make use of it at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// The disk, or whatever is behind.
    #[error("failed to store")]
    Io(#[from] io::Error),
}

/// The bytes of a file.
pub struct Stored {
    /// How many it has, all in all.
    pub size: u64,
    /// Those from the place on that was asked for.
    pub rest: Box<dyn io::Read + Send>,
}

/// Takes away what is behind the last whole line; a first line that is longer than all of it ends where it was cut.
fn end_with_a_line(bytes: &mut Vec<u8>) {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => bytes.truncate(at + 1),
        None => bytes.push(b'\n'),
    }
}

/// Keeps logs and files. Its methods may block: call them where that is allowed.
pub trait Storage: Send + Sync {
    /// How long a log is; nothing when there is none.
    fn log_size(&self, place: Place) -> io::Result<LogSize>;

    /// Adds `bytes`, the first of which is number `offset` of the log. Bytes that are there already are skipped. What was
    /// added survives a crash once this returns.
    fn append_log(&self, place: Place, offset: u64, bytes: &[u8]) -> Result<LogSize, StoreError>;

    /// Whole lines from number `first` up to, not including, `end`: as many as fit in `limit` bytes. A first line that is longer
    /// than that comes as far as it fits, and ends there.
    fn read_log(&self, place: Place, first: u64, end: Option<u64>, limit: usize) -> io::Result<Vec<u8>>;

    /// Bytes of a log from number `offset` on, at most `limit`.
    fn read_log_bytes(&self, place: Place, offset: u64, limit: usize) -> io::Result<Vec<u8>>;

    /// How much of a file is there.
    fn file_size(&self, place: Place, name: &Name) -> io::Result<FileSize>;

    /// Adds a piece of a file; another `aim` than before begins anew. The last piece checks the digest.
    fn append_file(
        &self,
        place: Place,
        name: &Name,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError>;

    /// The bytes of a whole file from number `from` on, if it is there.
    fn read_file(&self, place: Place, name: &Name, from: u64) -> io::Result<Option<Stored>>;

    /// Keeps a text of the server's own beside the job's.
    fn put_text(&self, place: Place, name: &str, text: &str) -> io::Result<()>;

    /// Reads such a text.
    fn text(&self, place: Place, name: &str) -> io::Result<Option<String>>;

    /// Removes everything of a job that has ended, whichever giving it is of. What is gone already is no error.
    fn remove(&self, job: JobId) -> io::Result<()>;

    /// How much of a file a user has sent. `sha256` is 64 hexadecimal digits in lower case, here and below.
    fn upload_size(&self, owner: i64, sha256: &str) -> io::Result<FileSize>;

    /// Adds a piece to what a user sends, as [`Storage::append_file`] does.
    fn append_upload(
        &self,
        owner: i64,
        aim: &FileAim,
        offset: u64,
        bytes: &[u8],
    ) -> Result<FileSize, StoreError>;

    /// The bytes of a file that was sent, by whomever, from number `from` on.
    fn read_upload(&self, sha256: &str, from: u64) -> io::Result<Option<Stored>>;

    /// Removes what a user has sent so far of a file that is not whole.
    fn give_up_upload(&self, owner: i64, sha256: &str) -> io::Result<()>;

    /// Removes a whole file that was sent. What is gone already is no error.
    fn remove_upload(&self, sha256: &str) -> io::Result<()>;

    /// The jobs that [`Storage::settle`] could do something for; none where everything stays where it grew.
    fn unsettled(&self) -> io::Result<Vec<JobId>> {
        Ok(Vec::new())
    }

    /// Puts these jobs, to which nothing is added any more, and every file that was sent and is whole, where they are kept for
    /// good.
    fn settle(&self, _ended: &[JobId]) -> io::Result<()> {
        Ok(())
    }
}

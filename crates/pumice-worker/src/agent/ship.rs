//! Sending a job's log and files, piece by piece, from where the server is.

use std::{
    fmt::Write as _,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use fs_err as fs;
use pumice_api::{
    ProblemCode,
    worker::{JobFile, JobRef, Position},
};
use pumice_client::{ClientError, WorkerClient};
use pumice_types::{ByteSize, Name};
use sha2::{Digest as _, Sha256};

use crate::job::Directory;

/// What the job writes for us and nobody else.
const OURS: [&str; 2] = ["logs.yaml", "outcome.json"];

/// A file to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: JobFile,
}

/// Sends what one job leaves.
pub(crate) struct Shipper {
    client: WorkerClient,
    job: JobRef,
    log: PathBuf,
    /// How many bytes the server has; `None` before it was asked.
    offset: Option<u64>,
    /// The size of a piece, halved when the server finds it too large.
    piece: usize,
}

impl Shipper {
    pub(crate) fn new(client: WorkerClient, job: JobRef, directory: &Directory, piece: usize) -> Self {
        Self { client, job, log: directory.log(), offset: None, piece: piece.max(1) }
    }

    /// The size of the whole log.
    pub(crate) fn size(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |metadata| metadata.len())
    }

    /// Sends the log as far as it goes: whole lines, and at the job's end (`all`) the rest.
    pub(crate) fn ship(&mut self, all: bool) -> Result<(), ClientError> {
        loop {
            let known = self.offset.unwrap_or(0);
            if self.size() <= known {
                return Ok(());
            }
            let offset = match self.offset {
                Some(offset) => offset,
                None => self.client.log_position(self.job)?.offset,
            };
            self.offset = Some(offset);
            let piece = self.read(offset, all);
            if piece.is_empty() {
                return Ok(());
            }
            let sent = self.client.log(self.job, offset, &piece);
            self.offset = Some(self.settle(sent, offset)?.offset);
        }
    }

    fn read(&self, offset: u64, all: bool) -> Vec<u8> {
        let read = read_piece(&self.log, offset, self.piece);
        let mut piece = read.unwrap_or_else(|error| {
            // What cannot be read now may be later; the end of the job waits for it.
            tracing::error!(job = self.job.job.0, "the log cannot be read: {error}");
            Vec::new()
        });
        if !all && piece.len() < self.piece {
            cut_to_lines(&mut piece);
        }
        piece
    }

    /// Understands an answer to a piece: a gap or a size that is too large only changes what is sent next.
    fn settle(&mut self, sent: Result<Position, ClientError>, offset: u64) -> Result<Position, ClientError> {
        match sent {
            Err(error) if error.code() == Some(ProblemCode::OffsetGap) => {
                match error.problem().and_then(|problem| problem.offset) {
                    Some(offset) => Ok(Position { offset, complete: false }),
                    None => Err(error),
                }
            }
            Err(error) if error.code() == Some(ProblemCode::TooLarge) && self.piece > 1 => {
                self.piece /= 2;
                Ok(Position { offset, complete: false })
            }
            other => other,
        }
    }

    /// Sends the files, and answers which are whole at the server. One that cannot be read, or that the server
    /// finds broken again and again, is left out.
    pub(crate) fn ship_files(&mut self, sources: &[Source]) -> Result<Vec<JobFile>, ClientError> {
        let mut whole = Vec::new();
        for source in sources {
            match self.ship_file(source) {
                Ok(true) => whole.push(source.file.clone()),
                Ok(false) => {
                    tracing::error!(job = self.job.job.0, file = source.file.name, "the file is left out");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(whole)
    }

    fn ship_file(&mut self, source: &Source) -> Result<bool, ClientError> {
        let mut position = self.client.file_position(self.job, &source.file)?;
        let mut mismatches = 0;
        while !position.complete {
            let mut piece = Vec::new();
            let read = fs::File::open(&source.path).and_then(|mut file| {
                file.seek(SeekFrom::Start(position.offset))?;
                file.take(self.piece as u64).read_to_end(&mut piece)
            });
            if read.is_err() || (piece.is_empty() && source.file.size > 0) {
                return Ok(false);
            }
            let sent = self.client.file(self.job, &source.file, position.offset, &piece);
            match self.settle(sent, position.offset) {
                Ok(next) => position = next,
                Err(error) if error.code() == Some(ProblemCode::DigestMismatch) && mismatches < 2 => {
                    mismatches += 1;
                    position = Position { offset: 0, complete: false };
                }
                Err(error) if error.code() == Some(ProblemCode::DigestMismatch) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// At most `most` bytes of a file, from `offset` on.
fn read_piece(path: &Path, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut piece = Vec::new();
    file.take(most as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

fn cut_to_lines(piece: &mut Vec<u8>) {
    let whole = piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    piece.truncate(whole);
}

/// The whole lines among the bytes of a file from `offset` on, at most `most` bytes of them.
pub(super) fn whole_lines(path: &Path, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut piece = read_piece(path, offset, most)?;
    cut_to_lines(&mut piece);
    Ok(piece)
}

/// The files that a job left: regular ones in `output` and `output/files`, links not followed, by the name they have
/// there. Two of one name cannot be told apart at the server; the first counts.
pub(crate) fn files(directory: &Directory, largest: ByteSize) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for folder in [directory.output(), directory.output().join("files")] {
        let mut paths: Vec<_> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if OURS.contains(&name) || name.parse::<Name>().is_err() || !metadata.is_file() {
                continue;
            }
            if sources.iter().any(|source| source.file.name == name) {
                continue;
            }
            if ByteSize(metadata.len()) > largest {
                tracing::warn!(file = name, "the file is too large to be sent: {}", ByteSize(metadata.len()));
                continue;
            }
            if let Ok((size, sha256)) = digest(&path) {
                sources.push(Source { file: JobFile { name: name.to_owned(), size, sha256 }, path });
            }
        }
    }
    sources
}

/// Size and SHA-256 of a file, the latter in lower-case hexadecimal.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        size += count as u64;
        hash.update(&buffer[..count]);
    }
    let mut sha256 = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    Ok((size, sha256))
}

#[cfg(test)]
mod tests {
    use pumice_api::worker::Fence;
    use pumice_types::JobId;

    use super::*;
    use crate::job::Lease;

    #[test]
    fn only_harmless_regular_files_are_sent() {
        let state = tempfile::tempdir().unwrap();
        let job = JobRef { job: JobId(1), fence: Fence(1) };
        let directory = Directory::create(state.path(), job, &Lease::endless()).unwrap();
        let output = directory.output();
        fs::create_dir(output.join("files")).unwrap();
        for name in ["logs.yaml", "outcome.json", "b.txt", ".hidden", "files/a.txt", "files/b.txt"] {
            fs::write(output.join(name), name).unwrap();
        }
        fs::write(output.join("big"), vec![0; 100]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", output.join("link")).unwrap();
        let found = files(&directory, ByteSize(99));
        let names: Vec<_> = found.iter().map(|source| source.file.name.as_str()).collect();
        assert_eq!(names, ["b.txt", "a.txt"]);
        assert_eq!(found[0].file.size, 5);
        assert_eq!(found[0].file.sha256.len(), 64);
    }
}

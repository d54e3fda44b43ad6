//! Sending a file for a job: what the server has of it already is not sent again.

use std::{
    io::{self, Read as _, Seek, SeekFrom},
    thread,
    time::Duration,
};

use pumice_api::{
    ProblemCode,
    upload::{UPLOAD_PIECE_BYTES, Upload},
};
use pumice_types::{Blame, Cause};
use thiserror::Error;

use crate::{
    Backoff, ClientError, LabClient, Page,
    connection::{Body, encode, form},
    lab::REST,
};

/// How long the last piece may take beyond the usual: the server reads the whole file to check its digest.
const DIGEST_TIME: Duration = Duration::from_secs(600);

/// For how long pieces are tried again while none gets through.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// What it is called.
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
    /// SHA-256 of them, in lower-case hexadecimal.
    pub sha256: String,
}

/// How a file came to be on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was there already.
    Known,
    /// It was sent, from this byte on; what was before had been sent earlier.
    From(u64),
}

/// Why a file was not sent.
#[derive(Debug, Error)]
pub enum UploadError {
    /// It cannot be read.
    #[error("cannot read it")]
    Read(#[from] io::Error),
    /// Its bytes are not those that were announced.
    #[error("it changed while it was being sent")]
    Changed,
    /// The server, or the way to it.
    #[error("it was not taken")]
    Client(#[from] ClientError),
}

impl Blame for UploadError {
    fn root_cause(&self) -> Cause {
        Cause::HostRefused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(_) => None,
            Self::Changed => Some("wait until nobody writes to it, then submit again".to_owned()),
            Self::Client(error) if error.is_temporary() => {
                let advice = error.hint().map_or_else(String::new, |hint| format!("{hint}; "));
                Some(format!("{advice}what was sent is kept, and the same command goes on where it was"))
            }
            Self::Client(error) => error.hint(),
        }
    }
}

impl LabClient {
    /// One's files on the server, the newest first.
    pub fn uploads(&self, limit: u32, offset: u64) -> Result<Page<Upload>, ClientError> {
        self.list("uploads", &[], limit, offset)
    }

    /// How much of one of one's files the server has; `None` when nothing was sent.
    pub fn upload(&self, sha256: &str) -> Result<Option<Upload>, ClientError> {
        match self.get(&format!("{REST}uploads/{}/", encode(sha256))) {
            Err(error) if error.code() == Some(ProblemCode::NotFound) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Removes one of one's files.
    pub fn delete_upload(&self, sha256: &str) -> Result<(), ClientError> {
        let path = format!("{REST}uploads/{}/", encode(sha256));
        self.connection().send("DELETE", &path, Body::None, Duration::ZERO).map(drop)
    }

    fn upload_piece(&self, file: &NewUpload, offset: u64, piece: &[u8]) -> Result<Upload, ClientError> {
        let (size, at) = (file.size.to_string(), offset.to_string());
        let fields = form(&[("name", &file.name), ("size", &size), ("offset", &at)]);
        let is_last = offset + piece.len() as u64 >= file.size;
        let wait = if is_last { DIGEST_TIME } else { Duration::ZERO };
        let path = format!("{REST}uploads/{}/?{fields}", encode(&file.sha256));
        self.connection().send("PUT", &path, Body::Bytes(piece), wait)?.json()
    }

    /// Sends a file, piece by piece, from where the server is. A server that does not answer is asked again for two minutes;
    /// after that, or when this program is killed, the same call goes on where it was. `progress` is told how many bytes the
    /// server has.
    pub fn send_file(
        &self,
        file: &NewUpload,
        mut bytes: impl io::Read + Seek,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Sent, UploadError> {
        let begun = self.upload(&file.sha256)?;
        if begun.as_ref().is_some_and(|upload| upload.complete) {
            return Ok(Sent::Known);
        }
        let first = begun.filter(|upload| upload.size == file.size).map_or(0, |upload| upload.offset);
        let mut offset = first;
        let mut backoff = Backoff::new(file.size);
        let mut waited = Duration::ZERO;
        let mut piece = Vec::with_capacity(UPLOAD_PIECE_BYTES);
        loop {
            progress(offset);
            piece.clear();
            bytes.seek(SeekFrom::Start(offset))?;
            (&mut bytes).take(UPLOAD_PIECE_BYTES as u64).read_to_end(&mut piece)?;
            if piece.is_empty() && offset < file.size {
                return Err(UploadError::Changed);
            }
            match self.upload_piece(file, offset, &piece) {
                Ok(upload) if upload.complete => {
                    progress(file.size);
                    return Ok(Sent::From(first));
                }
                Ok(upload) => {
                    offset = upload.offset;
                    backoff.reset();
                    waited = Duration::ZERO;
                }
                // The server has another number of bytes: a piece came twice, or was lost with the server's disk.
                Err(error) if error.code() == Some(ProblemCode::Conflict) && waited < PATIENCE => {
                    waited += pause(&mut backoff);
                    offset = self.upload(&file.sha256)?.map_or(0, |upload| upload.offset);
                }
                Err(error) if error.code() == Some(ProblemCode::DigestMismatch) => {
                    return Err(UploadError::Changed);
                }
                Err(error) if error.is_temporary() && waited < PATIENCE => {
                    waited += pause(&mut backoff);
                    // Whether the piece arrived is not known; the server says so once it answers.
                    match self.upload(&file.sha256) {
                        Ok(upload) => offset = upload.map_or(0, |upload| upload.offset),
                        Err(error) if error.is_temporary() => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn pause(backoff: &mut Backoff) -> Duration {
    let pause = backoff.pause();
    thread::sleep(pause);
    pause
}

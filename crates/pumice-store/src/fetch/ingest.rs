//! From bytes to an object: counted, unpacked and written in one pass.

use std::io::{self, Read, Write};

use pumice_image::{
    Bounded, Compression, LimitExceeded, SparseWriter,
    compression::{UnpackError, decode, unzip},
};
use pumice_types::ByteSize;
use sha2::{Digest as _, Sha256};

use super::Fetch;
use crate::{
    Artifact, Control, Digest, FetchError, Origin, digest::Hashing, index, object, prune, request::Progress,
    staging::Staging,
};

/// Bytes read at once, and between two reports of progress.
const CHUNK: usize = 256 << 10;

/// Where bytes come from.
pub(super) trait Input {
    /// Reads some; 0 at the end.
    fn read(&mut self, buffer: &mut [u8], control: &mut Control<'_>) -> Result<usize, FetchError>;

    /// How many there are in all, where that is known before.
    fn total(&self) -> Option<u64>;
}

/// Why bytes did not become an object.
enum Failure {
    /// They could not be read; the input knows why.
    Input,
    /// They could not be unpacked.
    Unpack(UnpackError),
    /// The result could not be written.
    Write(io::Error),
    /// There are too many.
    TooLarge(ByteSize),
}

impl Fetch<'_> {
    /// Reads all of `input`, checks it against the job's checksums, unpacks it, and publishes the result.
    pub(super) fn ingest(
        &self,
        input: &mut dyn Input,
        control: &mut Control<'_>,
    ) -> Result<Artifact, FetchError> {
        let total = input.total();
        if let Some(total) = total {
            if total > self.request.largest_download.0 {
                let limit = self.request.largest_download;
                return Err(FetchError::TooLarge { url: self.shown.clone(), limit });
            }
            if !prune::make_room(self.layout, total)? {
                return Err(self.disk_full(Some(total)));
            }
        }
        let mut watched = Watched { fetch: self, input, control, received: 0, reported: 0, error: None };
        let mut hashing = Hashing::new(&mut watched, &self.request.checksums);
        let staging = Staging::new(self.layout)?;
        let unpacked = self.unpack(&mut hashing, &staging);
        if matches!(unpacked, Err(Failure::Unpack(_))) && !self.request.checksums.is_empty() {
            // A page that says "not found" is no damaged archive: the checksum is the better answer.
            let _ = io::copy(&mut hashing, &mut io::sink());
        }
        let (digests, bytes) = hashing.finish();
        if let Some(error) = watched.error {
            return Err(error);
        }
        match unpacked {
            Ok(object) => {
                self.verify(&digests)?;
                let object = object.unwrap_or(digests.sha256);
                let lease = object::publish(self.layout, staging, object)
                    .map_err(|error| self.write_failed(error, total))?;
                let transformation = self.request.transformation(&self.name);
                index::learn(self.layout, &digests, bytes, &transformation, object)?;
                self.artifact(lease, &digests, bytes, Origin::Fetched)
            }
            Err(Failure::Unpack(source)) => {
                self.verify(&digests)?;
                Err(FetchError::Unpack { url: self.shown.clone(), source })
            }
            Err(Failure::TooLarge(limit)) => Err(FetchError::TooLarge { url: self.shown.clone(), limit }),
            Err(Failure::Write(error)) => {
                // What was written of it does not count as taken.
                drop(staging);
                Err(self.write_failed(error, total))
            }
            Err(Failure::Input) => Err(io::Error::other("the input failed and did not say why").into()),
        }
    }

    /// Writes what is inside `packed` to the staging file. Gives its digest where it is not that of `packed`.
    fn unpack(&self, packed: &mut impl Read, staging: &Staging) -> Result<Option<Digest>, Failure> {
        let limit = self.request.largest_artifact;
        match self.request.compression {
            None => {
                let mut sink = Sink::new(staging, false);
                copy(&mut Bounded::new(packed, limit.0), &mut sink, |error| input_or_limit(&error))?;
                sink.finish()
            }
            Some(Compression::Zip) => {
                // The list of members is at the end, so the archive must be on disk as a whole.
                let archive = Staging::new(self.layout).map_err(Failure::Write)?;
                let mut spool = Sink::new(&archive, false);
                copy(packed, &mut spool, |_| Failure::Input)?;
                spool.finish()?;
                let mut sink = Sink::new(staging, true);
                let mut file = archive.file();
                io::Seek::rewind(&mut file).map_err(Failure::Write)?;
                match unzip(io::BufReader::new(file), &self.name, limit.0, &mut sink) {
                    Ok(_) => sink.finish(),
                    Err(error) => Err(sink.error.map_or_else(|| unpack_or_limit(error), Failure::Write)),
                }
            }
            Some(compression) => {
                let mut sink = Sink::new(staging, true);
                let damaged = |error| unpack_or_limit(UnpackError::Damaged(compression, error));
                let decoder = decode(compression, &mut *packed).map_err(Failure::Unpack)?;
                copy(&mut Bounded::new(decoder, limit.0), &mut sink, damaged)?;
                // A decoder stops at the end of what it understands; what follows counts for the checksum.
                io::copy(packed, &mut io::sink()).map_err(|_| Failure::Input)?;
                sink.finish()
            }
        }
    }

    /// A full disk is said with its numbers.
    fn write_failed(&self, error: io::Error, total: Option<u64>) -> FetchError {
        if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return error.into();
        }
        let is_plain = self.request.compression.is_none();
        self.disk_full(total.filter(|_| is_plain))
    }

    fn disk_full(&self, needed: Option<u64>) -> FetchError {
        FetchError::DiskFull {
            url: self.shown.clone(),
            store: self.layout.root().to_owned(),
            needed: needed.map(ByteSize),
            available: prune::available(self.layout).map_or(ByteSize(0), ByteSize),
        }
    }
}

fn input_or_limit(error: &io::Error) -> Failure {
    LimitExceeded::of(error).map_or(Failure::Input, |exceeded| Failure::TooLarge(exceeded.limit))
}

fn unpack_or_limit(error: UnpackError) -> Failure {
    let exceeded = match &error {
        UnpackError::Damaged(_, source) => LimitExceeded::of(source),
        _ => None,
    };
    exceeded.map_or(Failure::Unpack(error), |exceeded| Failure::TooLarge(exceeded.limit))
}

/// Copies until the end; errors of the two sides are told apart.
fn copy(
    input: &mut impl Read,
    sink: &mut Sink<'_>,
    explain: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut filled = 0;
        // A full buffer makes long holes and few calls.
        while filled < buffer.len() {
            match input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explain(error)),
            }
        }
        if filled == 0 {
            return Ok(());
        }
        sink.write_all(&buffer[..filled]).map_err(Failure::Write)?;
    }
}

/// Writes an object with holes where it is zero, and counts its digest.
struct Sink<'a> {
    writer: SparseWriter<'a>,
    sha256: Option<Sha256>,
    error: Option<io::Error>,
}

impl<'a> Sink<'a> {
    fn new(staging: &'a Staging, is_counted: bool) -> Self {
        let sha256 = is_counted.then(Sha256::new);
        Self { writer: SparseWriter::new(staging.file()), sha256, error: None }
    }

    fn finish(self) -> Result<Option<Digest>, Failure> {
        self.writer.finish().map_err(Failure::Write)?;
        Ok(self.sha256.map(|sha256| Digest::from_bytes(sha256.finalize().into())))
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self.writer.write_all(bytes).inspect_err(|error| {
            self.error = Some(
                error
                    .raw_os_error()
                    .map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error),
            );
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads an input for somebody who knows nothing of deadlines, and keeps the error it ended with.
struct Watched<'a, 'c, 'd> {
    fetch: &'a Fetch<'a>,
    input: &'c mut dyn Input,
    control: &'c mut Control<'d>,
    received: u64,
    reported: u64,
    error: Option<FetchError>,
}

impl Watched<'_, '_, '_> {
    fn read_checked(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        self.fetch.check(self.control, "the download")?;
        let count = self.input.read(buffer, self.control)?;
        self.received += count as u64;
        let limit = self.fetch.request.largest_download;
        if self.received > limit.0 {
            return Err(FetchError::TooLarge { url: self.fetch.shown.clone(), limit });
        }
        let is_due = self.received - self.reported >= CHUNK as u64 || count == 0;
        if is_due && self.received > self.reported {
            self.reported = self.received;
            let total = self.input.total();
            (self.control.progress)(Progress::Received { bytes: self.received, total });
        }
        Ok(count)
    }
}

impl Read for Watched<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.error.is_some() {
            return Err(io::Error::other("the input failed before"));
        }
        self.read_checked(buffer).map_err(|error| {
            let message = error.to_string();
            self.error = Some(error);
            io::Error::other(message)
        })
    }
}

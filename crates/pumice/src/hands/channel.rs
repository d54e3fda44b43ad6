//! A link through a lab: a channel of the server (`docs/protocol/worker.md` section 8).

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use pumice_client::{ClientError, LabClient};
use pumice_types::{Failure, JobId};

use super::{Link, LinkWriter};
use crate::lab::asked;

/// How long one request for bytes waits at the server.
const WAIT: Duration = Duration::from_secs(20);

/// How often, and how long after, a request is sent again that was one too many: the server counts by the second.
const MOST_TRIES: u32 = 60;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Opens it.
pub(super) fn open(client: LabClient, job: JobId) -> Result<Link, Failure> {
    let channel: Arc<str> = asked(client.open_channel(job))?.channel.into();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = FromJob {
        client: client.clone(),
        channel: Arc::clone(&channel),
        is_over: Arc::clone(&is_over),
        offset: 0,
        piece: Vec::new(),
        ended: false,
    };
    let writer = ToJob { client, channel, is_over, offset: 0 };
    Ok(Link::new(Box::new(reader), Box::new(writer)))
}

/// Asks again, a little later, when the server says that there were too many requests. A piece that is sent again is known by
/// its offset.
fn patiently<T>(ask: impl Fn() -> Result<T, ClientError>) -> io::Result<T> {
    let mut tries = 0;
    loop {
        match ask() {
            Err(ClientError::Refused { status: 429, .. }) if tries < MOST_TRIES => {
                tries += 1;
                thread::sleep(BETWEEN_TRIES);
            }
            asked => return asked.map_err(io::Error::other),
        }
    }
}

struct FromJob {
    client: LabClient,
    channel: Arc<str>,
    is_over: Arc<AtomicBool>,
    /// How many bytes have come.
    offset: u64,
    /// What has come and was not read yet.
    piece: Vec<u8>,
    ended: bool,
}

impl Read for FromJob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            if self.is_over.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let got = patiently(|| self.client.channel_receive(&self.channel, self.offset, WAIT))?;
            self.offset += got.bytes.len() as u64;
            (self.piece, self.ended) = (got.bytes, got.ended);
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece[..count]);
        self.piece.drain(..count);
        Ok(count)
    }
}

struct ToJob {
    client: LabClient,
    channel: Arc<str>,
    is_over: Arc<AtomicBool>,
    /// How many bytes were sent.
    offset: u64,
}

impl ToJob {
    /// Sends bytes, and says how many the server took: it keeps few.
    fn send(&mut self, bytes: &[u8], end: bool) -> io::Result<usize> {
        let sent = patiently(|| self.client.channel_send(&self.channel, self.offset, bytes, end))?;
        let taken = sent.offset.saturating_sub(self.offset);
        self.offset = sent.offset;
        Ok(usize::try_from(taken).unwrap_or(bytes.len()).min(bytes.len()))
    }
}

impl Write for ToJob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // The server answers late while the job does not take what it has; then it is asked again.
        loop {
            let taken = self.send(bytes, false)?;
            if taken > 0 {
                return Ok(taken);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LinkWriter for ToJob {
    fn finish(&mut self) -> io::Result<()> {
        self.send(&[], true).map(drop)
    }

    fn hang_up(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The server forgets the channel by itself too.
        drop(self.finish());
    }
}

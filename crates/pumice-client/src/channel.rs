//! A person's channel to a job's machines as two streams: `Write` to the job, `Read` from it.

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use crate::{Backoff, ClientError, LabClient};

/// How long one request for bytes waits at the server.
const WAIT: Duration = Duration::from_secs(20);
/// How long a server that cannot be reached is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much is sent at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Bytes to the job. What is written is sent at once; a piece whose answer was lost is sent again, and taken once.
#[derive(Debug)]
pub struct ChannelWriter {
    client: LabClient,
    channel: String,
    offset: u64,
}

/// Bytes from the job.
#[derive(Debug)]
pub struct ChannelReader {
    client: LabClient,
    channel: String,
    offset: u64,
    pending: Vec<u8>,
    taken: usize,
    ended: bool,
}

/// The two sides of a channel that was opened.
pub fn channel(client: &LabClient, channel: &str) -> (ChannelWriter, ChannelReader) {
    let (client, channel) = (client.clone(), channel.to_owned());
    let writer = ChannelWriter { client: client.clone(), channel: channel.clone(), offset: 0 };
    let reader = ChannelReader { client, channel, offset: 0, pending: Vec::new(), taken: 0, ended: false };
    (writer, reader)
}

impl ChannelWriter {
    /// Says that nothing follows.
    pub fn finish(&mut self) -> io::Result<()> {
        self.send(&[], true)
    }

    fn send(&mut self, piece: &[u8], end: bool) -> io::Result<()> {
        insist(self.offset, || self.client.channel_send(&self.channel, self.offset, piece, end))?;
        self.offset += piece.len() as u64;
        Ok(())
    }
}

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        self.send(piece, false)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.pending.len() {
            if self.ended {
                return Ok(0);
            }
            let piece =
                insist(self.offset, || self.client.channel_receive(&self.channel, self.offset, WAIT))?;
            self.offset += piece.bytes.len() as u64;
            (self.pending, self.taken, self.ended) = (piece.bytes, 0, piece.ended);
        }
        let count = buffer.len().min(self.pending.len() - self.taken);
        buffer[..count].copy_from_slice(&self.pending[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

/// Asks again while the server cannot be reached.
fn insist<T>(seed: u64, ask: impl Fn() -> Result<T, ClientError>) -> io::Result<T> {
    let mut backoff = Backoff::new(seed);
    let mut waited = Duration::ZERO;
    loop {
        match ask() {
            Err(error) if error.is_temporary() && waited < PATIENCE => {
                let pause = backoff.pause();
                waited += pause;
                std::thread::sleep(pause);
            }
            other => return other.map_err(io::Error::other),
        }
    }
}

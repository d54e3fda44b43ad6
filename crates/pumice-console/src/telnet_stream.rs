//! A stream with the telnet filter on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::telnet::Codec;

/// Reads and writes plain bytes over a connection that speaks telnet.
#[derive(Debug)]
pub(crate) struct TelnetStream<S> {
    inner: S,
    codec: Codec,
    /// Decoded, not yet read: from this place on.
    plain: Vec<u8>,
    read: usize,
    /// Encoded, not yet sent: answers, then what was written.
    wire: Vec<u8>,
    sent: usize,
}

/// What is written is taken over in pieces of at most this size, and only once the last is sent.
const PIECE_BYTES: usize = 16 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> TelnetStream<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, codec: Codec::default(), plain: Vec::new(), read: 0, wire: Vec::new(), sent: 0 }
    }

    /// Sends what is waiting.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.wire.len() {
            let count = ready!(Pin::new(&mut self.inner).poll_write(context, &self.wire[self.sent..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        self.wire.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TelnetStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        loop {
            // Answers go out as the other side lets them; that it does not must not keep us from reading. An
            // error shows in the next write.
            let _ = stream.poll_drain(context);
            if stream.read < stream.plain.len() {
                let count = buffer.remaining().min(stream.plain.len() - stream.read);
                buffer.put_slice(&stream.plain[stream.read..stream.read + count]);
                stream.read += count;
                return Poll::Ready(Ok(()));
            }
            stream.plain.clear();
            stream.read = 0;
            let mut raw = [0; 8192];
            let mut raw = ReadBuf::new(&mut raw);
            ready!(Pin::new(&mut stream.inner).poll_read(context, &mut raw))?;
            if raw.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            stream.codec.decode(raw.filled(), &mut stream.plain, &mut stream.wire);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TelnetStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        ready!(stream.poll_drain(context))?;
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        Codec::encode(piece, &mut stream.wire);
        // What does not go at once goes with the next read, write or flush.
        match stream.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_drain(context))?;
        Pin::new(&mut stream.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_drain(context))?;
        Pin::new(&mut stream.inner).poll_shutdown(context)
    }
}

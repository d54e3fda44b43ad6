//! A connection whose other side takes nothing for long is given up: it holds memory and a descriptor.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep},
};

/// How long the other side may take nothing of what is sent.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that fails when a write has waited for longer than that. Reading may wait for ever: what may be read when is
/// known where requests are.
pub(super) struct Patient<I> {
    io: I,
    timer: Pin<Box<Sleep>>,
    patience: Duration,
    /// Whether a write waits.
    waits: bool,
    /// Its place among the connections there may be; `None` when the server goes down.
    _room: Option<OwnedSemaphorePermit>,
}

impl<I> Patient<I> {
    /// A connection that takes `room`.
    pub(super) fn new(io: I, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { _room: room, ..Self::with(io, PATIENCE) }
    }

    fn with(io: I, patience: Duration) -> Self {
        Self { io, timer: Box::pin(sleep(patience)), patience, waits: false, _room: None }
    }

    /// Lets a write that waits wait no longer than allowed.
    fn limited<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        if !self.waits {
            self.waits = true;
            self.timer.as_mut().reset(Instant::now() + self.patience);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.limited(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, pieces);
        self.limited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.limited(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.io).poll_shutdown(context);
        self.limited(context, ended)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn whoever_takes_nothing_for_long_is_given_up_and_whoever_is_slow_is_not() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut near = Patient::with(near, Duration::from_secs(3600));
        let (written, ()) = tokio::join!(near.write_all(b"twelve bytes"), async {
            for _ in 0..3 {
                sleep(Duration::from_millis(2)).await;
                far.read_exact(&mut [0; 4]).await.unwrap();
            }
        });
        written.unwrap();
        let (near, _far) = tokio::io::duplex(4);
        let refused = Patient::with(near, Duration::ZERO).write_all(b"twelve bytes").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }
}

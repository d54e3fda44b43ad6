//! Bodies that come too slowly are given up.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What any body may take, however short it is.
const ANY: Duration = Duration::from_secs(30);

/// Beyond that, it must come at least this fast on average.
const BYTES_PER_SECOND: u64 = 1024;

/// `body`, which fails when it comes too slowly.
pub(super) fn timed(body: Body) -> Body {
    within(body, ANY)
}

fn within(body: Body, any: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let begun_with_any = Instant::now() + any;
    let timer = Box::pin(sleep_until(begun_with_any));
    Body::from_stream(Timed { body: body.into_data_stream(), begun_with_any, received: 0, timer })
}

struct Timed {
    body: BodyDataStream,
    /// When a body of no bytes would have to be here.
    begun_with_any: Instant,
    received: u64,
    timer: Pin<Box<Sleep>>,
}

impl Stream for Timed {
    type Item = Result<Bytes, axum::BoxError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(piece) = Pin::new(&mut this.body).poll_next(context) {
            if let Some(Ok(piece)) = &piece {
                this.received = this.received.saturating_add(piece.len() as u64);
                let earned = Duration::from_secs(this.received / BYTES_PER_SECOND);
                this.timer.as_mut().reset(this.begun_with_any + earned);
            }
            return Poll::Ready(piece.map(|piece| piece.map_err(Into::into)));
        }
        match this.timer.as_mut().poll(context) {
            Poll::Ready(()) => {
                let slow = io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly");
                Poll::Ready(Some(Err(slow.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Received;

    /// A body of `pieces` of a KiB, with a moment before each, that may take `any`; answers how many bytes arrived.
    async fn sent(pieces: u32, any: Duration) -> Result<usize, axum::Error> {
        let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(1);
        tokio::spawn(async move {
            for _ in 0..pieces {
                tokio::time::sleep(Duration::from_millis(2)).await;
                if sender.send(Ok(Bytes::from(vec![0; 1024]))).await.is_err() {
                    return;
                }
            }
        });
        let body = within(Body::from_stream(Received(receiver)), any);
        axum::body::to_bytes(body, usize::MAX).await.map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn a_body_may_be_slow_but_not_for_ever() {
        assert_eq!(sent(20, Duration::from_secs(3600)).await.unwrap(), 20 << 10);
        assert!(sent(1, Duration::ZERO).await.is_err());
    }

    #[tokio::test]
    async fn what_has_come_buys_time_for_what_follows() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(2);
        // An hour's worth at once, then one that could not come in no time at all.
        sender.send(Ok(Bytes::from(vec![0; 3600 << 10]))).await.unwrap();
        let body = within(Body::from_stream(Received(receiver)), Duration::ZERO);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(sender.send(Ok(Bytes::from_static(b"x"))).await);
        });
        assert_eq!(axum::body::to_bytes(body, usize::MAX).await.unwrap().len(), (3600 << 10) + 1);
    }
}

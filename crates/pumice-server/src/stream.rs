//! Answers that are sent piece by piece: however long they are, and however slowly they are read, the server holds two pieces.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use futures_core::Stream;
use tokio::sync::mpsc;

use crate::{app::Shared, refusal::Refusal, results, storage::Place};

/// The size of a piece.
const PIECE_BYTES: usize = 256 << 10;

/// What a task sends, as a stream.
pub(crate) struct Received<T>(pub(crate) mpsc::Receiver<T>);

impl<T> Stream for Received<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}

/// Sends one thing to whoever reads. `false` when that has gone, or the server goes down.
pub(crate) async fn send<T>(shared: &Shared, sender: &mpsc::Sender<T>, thing: T) -> bool {
    tokio::select! {
        sent = sender.send(thing) => sent.is_ok(),
        () = shared.stopping() => false,
    }
}

/// The lines of a log from number `first` up to, not including, `end`, as they are now.
pub(crate) fn log(shared: &Arc<Shared>, place: Place, first: u64, end: Option<u64>) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let mut next = first;
        loop {
            let read = results::read_lines(&shared, place, next, end, PIECE_BYTES).await;
            let Some(piece) = whole_piece(read.map(String::into_bytes), &shared, &sender).await else {
                return;
            };
            next += piece.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            if !send(&shared, &sender, Ok(Bytes::from(piece))).await {
                return;
            }
        }
    });
    Body::from_stream(Received(receiver))
}

/// The piece that was read; `None` at the end, and after a failure, which ends the connection: a reader must not take what
/// came for the whole.
async fn whole_piece(
    read: Result<Vec<u8>, Refusal>,
    shared: &Shared,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Option<Vec<u8>> {
    match read {
        Ok(piece) => Some(piece).filter(|piece| !piece.is_empty()),
        Err(refusal) => {
            refusal.log();
            send(shared, sender, Err(io::Error::other(refusal))).await;
            None
        }
    }
}

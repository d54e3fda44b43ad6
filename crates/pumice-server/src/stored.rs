//! Answering with a file of the store: in pieces, so that no file is ever in memory as a whole.

use std::io::{self, Read as _};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::sync::mpsc;

use crate::{refusal::Refusal, storage::Stored, stream::Received};

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// What `open` gives from a byte on, as the answer to a request for it; `None` when there is no such file. `Range: bytes=N-` is
/// honoured, which is what going on with a download that broke off needs (RFC 9110, section 14), unless `If-Range` names
/// another version than `version`.
pub(crate) async fn answer(
    headers: &HeaderMap,
    version: Option<&str>,
    open: impl FnOnce(u64) -> io::Result<Option<Stored>> + Send + 'static,
) -> Result<Option<Response>, Refusal> {
    let etag = version.map(|version| format!("\"{version}\""));
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same = text(header::IF_RANGE).is_none_or(|wanted| Some(wanted) == etag.as_deref());
    let first = text(header::RANGE).filter(|_| is_same).and_then(first_byte);
    let opened = tokio::task::spawn_blocking(move || open(first.unwrap_or(0))).await;
    let stored = opened.map_err(|error| Refusal::Internal(error.to_string()))??;
    let Some(Stored { size, rest }) = stored else { return Ok(None) };
    let mut response = match first {
        Some(first) if first >= size => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok(Some((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response()));
        }
        Some(first) => {
            let range = [(header::CONTENT_RANGE, format!("bytes {first}-{}/{size}", size - 1))];
            (StatusCode::PARTIAL_CONTENT, range, body(rest)).into_response()
        }
        None => body(rest).into_response(),
    };
    let length = size.saturating_sub(first.unwrap_or(0));
    let told = response.headers_mut();
    told.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    told.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(etag) = etag.and_then(|etag| etag.parse().ok()) {
        told.insert(header::ETAG, etag);
    }
    Ok(Some(response))
}

/// Where `bytes=N-` begins: the one form that resuming needs.
fn first_byte(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// Reads a piece once there is room for it: a thread is taken for as long as a read lasts, never for as long as a client does.
fn body(mut rest: Box<dyn io::Read + Send>) -> Body {
    let (sender, pieces) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(room) = sender.reserve().await {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(PIECE);
                let read = (&mut rest).take(PIECE as u64).read_to_end(&mut piece);
                (rest, read.map(|_| Bytes::from(piece)))
            });
            // A read that broke ends the answer short of the length that was told: its reader takes it for no whole.
            let Ok((unread, piece)) = read.await else { return };
            rest = unread;
            match piece {
                Ok(piece) if piece.is_empty() => return,
                Ok(piece) => room.send(Ok(piece)),
                Err(error) => return room.send(Err(error)),
            }
        }
    });
    Body::from_stream(Received(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(range: &[(HeaderName, &str)], status: u16, content_range: &str, expected: &str) {
        let headers = range.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let open = |from: u64| {
            let rest = b"hello".get(usize::try_from(from).unwrap()..).unwrap_or_default().to_vec();
            Ok(Some(Stored { size: 5, rest: Box::new(io::Cursor::new(rest)) }))
        };
        let response = answer(&headers, Some("v1"), open).await.unwrap().unwrap();
        let told = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let found = (response.status().as_u16(), told(header::CONTENT_RANGE));
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!((found.0, found.1.as_str(), &body[..]), (status, content_range, expected.as_bytes()));
    }

    #[tokio::test]
    async fn a_download_that_broke_off_goes_on_where_it_was() {
        let range = |value| (header::RANGE, value);
        check(&[], 200, "", "hello").await;
        check(&[range("bytes=2-")], 206, "bytes 2-4/5", "llo").await;
        check(&[range("bytes=0-1")], 200, "", "hello").await;
        check(&[range("bytes=5-")], 416, "bytes */5", "").await;
        check(&[range("bytes=2-"), (header::IF_RANGE, "\"v1\"")], 206, "bytes 2-4/5", "llo").await;
        check(&[range("bytes=2-"), (header::IF_RANGE, "\"v0\"")], 200, "", "hello").await;
    }

    #[tokio::test]
    async fn what_is_not_there_is_no_answer() {
        assert!(answer(&HeaderMap::new(), None, |_| Ok(None)).await.unwrap().is_none());
    }

    #[test]
    fn clients_that_read_nothing_hold_no_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let long = |_| Ok(Some(Stored { size: 4 << 20, rest: Box::new(io::repeat(7).take(4 << 20)) }));
            let headers = HeaderMap::new();
            let mut unread = Vec::new();
            for _ in 0..3 {
                unread.push(answer(&headers, None, long).await.unwrap().unwrap());
            }
            let whole = answer(&headers, None, long).await.unwrap().unwrap();
            let whole = axum::body::to_bytes(whole.into_body(), usize::MAX).await.unwrap();
            assert_eq!((whole.len(), unread.len()), (4 << 20, 3));
        });
    }
}

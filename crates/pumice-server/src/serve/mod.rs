//! Connections: how many, how slow they may be, and how they end when the server goes down.

mod body;
mod patience;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::Semaphore, task::JoinSet};
use tower_service::Service as _;

use self::patience::Patient;
use crate::{app::Shared, front, origin::Peer};

/// How long a request's head may take, and how long a connection may be idle between two requests.
const HEAD: Duration = Duration::from_secs(30);

/// How long requests in flight have when the server goes down. `systemctl stop` kills after 90 s.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// The largest head of a request, and what is kept of an answer that its reader does not take.
const BUFFER_BYTES: usize = 64 << 10;

/// File descriptors that are not for connections: databases, logs, files.
const OTHER_FILES: u64 = 256;

/// Connections at once at most, whatever the system allows.
const MOST: u64 = 8192;

/// Serves until the server is stopped, then lets requests in flight end.
pub(crate) async fn serve<L>(shared: &Arc<Shared>, mut listener: L, is_encrypted: bool)
where
    L: Listener<Addr = SocketAddr>,
{
    let router = front::router(shared);
    // Beyond this many, connections wait in the kernel's queue: with all descriptors taken not even the database could be opened.
    let rooms = Arc::new(Semaphore::new(most_connections()));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let room = Arc::clone(&rooms).acquire_owned().await.ok();
            (room, listener.accept().await)
        };
        let (room, (io, address)) = tokio::select! {
            next = next => next,
            () = shared.stopping() => break,
        };
        let (shared, router) = (Arc::clone(shared), router.clone());
        open.spawn(async move {
            // The place is taken for as long as the connection lasts, also when it becomes a WebSocket's.
            let io = Patient::new(io, room);
            connection(io, Peer { address, is_encrypted }, &shared, &router).await;
        });
        // Those that have ended are forgotten here, not only at the server's end.
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_REQUESTS, ended).await.is_err() {
        tracing::warn!("connections that did not end were cut");
    }
}

/// As many as leave descriptors for everything else.
pub(crate) fn most_connections() -> usize {
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed.saturating_sub(OTHER_FILES).clamp(64, MOST)).unwrap_or(64)
}

/// Serves one connection to its end.
async fn connection<I>(io: Patient<I>, peer: Peer, shared: &Arc<Shared>, router: &axum::Router)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|incoming| body::timed(Body::new(incoming)));
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shared.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(from = %peer.address, %error, "a connection ended early");
    }
}

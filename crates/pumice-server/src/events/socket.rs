//! Events over a WebSocket, as LAVA's publisher has them (lava-compat 7.5).

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use pumice_db::Viewer;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{
    access::{Credentials, LoginError, Place},
    app::Shared,
    lab::workers,
    origin::Origin,
};

/// The largest message that a listener may send, in bytes: it has nothing to say.
const LARGEST_MESSAGE: usize = 4096;

/// How often a listener is asked whether it is still there. One that says nothing between two such questions is gone: its host was
/// switched off, or its network is cut.
const STILL_THERE: Duration = Duration::from_secs(60);

/// Takes a listener: a person, a worker, or nobody in particular.
pub(crate) async fn listen(
    State(shared): State<Arc<Shared>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let viewer = match viewer(&shared, &headers, &uri).await {
        Ok(viewer) => viewer,
        Err(status) => return (status, "Invalid token").into_response(),
    };
    let Some(place) = shared.listeners.take(origin.client) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many listen already").into_response();
    };
    upgrade
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .on_upgrade(move |socket| tell(socket, shared, viewer, place))
}

async fn viewer(shared: &Shared, headers: &HeaderMap, uri: &Uri) -> Result<Viewer, StatusCode> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let (Some(token), Some(host)) = (text("LAVA-Token"), text("LAVA-Host")) {
        let known = async { shared.database.read().await?.worker(host).await }.await;
        let known = known.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let is_worker = known.is_some_and(|worker| workers::token_fits(shared, &worker, token));
        // A worker hears of every job, because any may become its own.
        return if is_worker { Ok(Viewer::everything()) } else { Err(StatusCode::UNAUTHORIZED) };
    }
    match Credentials::of(headers, uri.query()).identify(&shared.database, shared.clock).await {
        Ok(who) if who.user.is_none() && shared.config.require_login => Err(StatusCode::UNAUTHORIZED),
        Ok(who) => Ok(who.viewer),
        Err(LoginError::InvalidToken) => Err(StatusCode::UNAUTHORIZED),
        Err(LoginError::Failed(_)) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn tell(mut socket: WebSocket, shared: Arc<Shared>, viewer: Viewer, _place: Place) {
    let mut ask = interval_at(Instant::now() + STILL_THERE, STILL_THERE);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_heard = true;
    let mut newest = shared.events.subscribe();
    let mut last = *newest.borrow_and_update();
    loop {
        tokio::select! {
            changed = newest.changed() => {
                if changed.is_err() {
                    return;
                }
                for event in shared.events.after(last) {
                    last = event.sequence;
                    // LAVA keeps what tests say from the WebSocket.
                    if event.kind == "event" || !event.is_for(&viewer) {
                        continue;
                    }
                    let text = event.frame().to_string();
                    if socket.send(Message::Text(text.into())).await.is_err() {
                        return;
                    }
                }
            }
            // Pings are answered by the library; whatever else a listener says is not for us.
            said = socket.recv() => match said {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => was_heard = true,
            },
            _ = ask.tick() => {
                if !std::mem::take(&mut was_heard) || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
            () = shared.stopping() => {
                // The listener sees the connection end in any case.
                let _ = socket.send(Message::Close(None)).await;
                return;
            }
        }
    }
}

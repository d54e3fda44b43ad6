//! The front: every request passes here, whatever door it goes to.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use pumice_api::worker;
use serde_json::json;
use tower_service::Service;

use crate::{
    app::Shared,
    events, lava_worker,
    origin::{Origin, Peer},
    pages, plain,
    refusal::Refusal,
    rest, worker_api, xmlrpc,
};

/// What a page may load: what this server has, and nothing from anywhere else (Content Security Policy, level 3).
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                              connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Every route behind the front.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let limit = usize::try_from(shared.config.body_limit.0).unwrap_or(usize::MAX);
    let doors = Router::new()
        .route("/RPC2", post(rpc))
        .route("/RPC2/", post(rpc))
        .route("/ws/", get(events::listen))
        .merge(rest::routes())
        .merge(lava_worker::routes())
        .merge(worker_api::routes())
        .merge(plain::routes())
        .merge(pages::routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limit))
        .with_state(Arc::clone(shared));
    Router::new().fallback(enter).with_state(Front { shared: Arc::clone(shared), doors })
}

#[derive(Clone)]
struct Front {
    shared: Arc<Shared>,
    doors: Router,
}

async fn rpc(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    xmlrpc::answer(shared, headers, body).await
}

async fn nowhere(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.uri().path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, Json(json!({"detail": "Not found."}))).into_response();
    }
    pages::nowhere(shared, request).await
}

async fn wrong_method(method: Method) -> Response {
    let detail = format!("Method \"{method}\" not allowed.");
    (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "detail": detail }))).into_response()
}

/// Counts the request, mends its path, and lets it in.
async fn enter(State(front): State<Front>, mut request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0);
    let origin = Origin::of(peer, request.headers());
    let from = origin.client;
    request.extensions_mut().insert(origin);
    let now = Instant::now();
    if let Some(from) = from
        && (!is_a_workers(&request) && !front.shared.requests.take(from, now)
            || tries_to_log_in(&request) && !front.shared.failures.has_left(from, now))
    {
        return (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, "1")],
            Refusal::TooMany.public_message(),
        )
            .into_response();
    }
    match mended(request.uri(), request.method() == Method::GET) {
        Mended::As(uri) => *request.uri_mut() = uri,
        Mended::Elsewhere(address) => {
            // Clients know 301, which Django sends; axum's own permanent redirect is 308.
            return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, address)]).into_response();
        }
        Mended::Unchanged => {}
    }
    let (tried_to_log_in, is_password) = (tries_to_log_in(&request), brings_password(&request));
    let mut response = answer(front.doors, request).await;
    if let Some(from) = from
        && tried_to_log_in
        && (response.status() == StatusCode::UNAUTHORIZED
            || is_password && response.status() == StatusCode::BAD_REQUEST)
    {
        front.shared.failures.take(from, now);
    }
    let is_unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    if is_unavailable {
        headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static(RETRY_AFTER));
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// How many seconds whoever finds the server without its database or room should wait.
const RETRY_AFTER: &str = "5";

/// What is behind the doors answers. A request that changes something is carried out whether or not its sender still waits: a
/// connection that breaks would else stop it between two steps, for example between a job's being kept and the scheduler's hearing
/// of it.
async fn answer(mut doors: Router, request: Request) -> Response {
    let only_looks = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let answering = doors.call(request);
    let answered = if only_looks {
        answering.await
    } else {
        match tokio::spawn(answering).await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::error!(%error, "a request broke");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        }
    };
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Whether a request is a worker's and shows its token. Those are not counted: a busy worker asks often, and may share an
/// address with people. A token that is wrong counts as a failed login, and few of those are allowed.
fn is_a_workers(request: &Request) -> bool {
    request.uri().path().starts_with(worker::PREFIX) && request.headers().contains_key(header::AUTHORIZATION)
}

/// Whether a request shows credentials: in its headers, in its address, or as a form or a body.
fn tries_to_log_in(request: &Request) -> bool {
    request.headers().contains_key(header::AUTHORIZATION)
        || brings_password(request)
        || request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("token=")))
}

/// Whether a request brings a name and a password: LAVA refuses wrong ones with 400.
fn brings_password(request: &Request) -> bool {
    let path = request.uri().path().trim_end_matches('/');
    request.method() == Method::POST && (path == "/login" || path.ends_with("/token"))
}

enum Mended {
    /// The path is as it should be.
    Unchanged,
    /// This was meant.
    As(Uri),
    /// Ask there.
    Elsewhere(String),
}

/// Merges slashes (clients build `/api/v0.2//jobs/`), and sends REST's readers to the path with a slash at its end, as
/// Django does.
fn mended(uri: &Uri, is_get: bool) -> Mended {
    let path = uri.path();
    let mut merged = String::with_capacity(path.len() + 1);
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let is_file = merged.contains("/files/") || merged.ends_with("/openapi.json");
    let needs_slash = merged.starts_with("/api/v0.") && !merged.ends_with('/') && !is_file;
    if needs_slash {
        merged.push('/');
        if is_get {
            return Mended::Elsewhere(format!("{merged}{query}"));
        }
    }
    if merged == path {
        return Mended::Unchanged;
    }
    match format!("{merged}{query}").parse() {
        Ok(uri) => Mended::As(uri),
        Err(_) => Mended::Unchanged,
    }
}

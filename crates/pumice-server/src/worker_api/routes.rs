//! `/api/worker/v1/`, `/api/pumice/v1/` and `/uploads/`

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, get, post, put},
};
use pumice_api::{people, worker};

use super::{answer, files, group, job, people as persons, session, uploads};
use crate::app::Shared;

/// The routes of all three.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    let of_workers = |path: &str| format!("{}{path}", worker::PREFIX);
    let of_people = |path: &str| format!("{}{path}", people::PREFIX);
    Router::new()
        .route(&of_workers("register"), post(session::register))
        .route(&of_workers("session"), post(session::session))
        .route(&of_workers("poll"), post(session::poll))
        .route(&of_workers("goodbye"), post(session::goodbye))
        .route(&of_workers("jobs/{id}/package"), get(job::package))
        .route(&of_workers("jobs/{id}/started"), post(job::started))
        .route(&of_workers("jobs/{id}/return"), post(job::returned))
        .route(&of_workers("jobs/{id}/finish"), post(job::finish))
        .route(&of_workers("jobs/{id}/log"), get(files::log_position).put(files::append_log))
        .route(&of_workers("jobs/{id}/files/{name}"), get(files::file_position).put(files::append_file))
        .route(&of_workers("jobs/{id}/group"), get(group::said).put(group::hear))
        .route(&of_workers("channels/{id}"), put(persons::worker_send).get(persons::worker_receive))
        .route(&of_people("jobs/{id}/why"), get(persons::why))
        .route(&of_people("jobs/{id}/log"), get(persons::log))
        .route(&of_people("jobs/{id}/files"), get(persons::files))
        .route(&of_people("jobs/{id}/files/{name}"), get(persons::file))
        .route(&of_people("jobs/{id}/channels"), post(persons::open_channel))
        .route(&of_people("channels/{id}"), put(persons::send).get(persons::receive))
        .route(&of_people("reservations"), post(persons::reserve))
        .route(&of_people("tokens"), get(persons::tokens).post(persons::create_token))
        .route(&of_people("tokens/{id}"), delete(persons::delete_token))
        .route(&of_people("licences"), get(persons::licences))
        .route("/uploads/{sha256}/{name}", get(uploads::upload))
        .layer(axum::middleware::map_response(answer::in_our_shape))
        // Twice the largest piece: a piece that is too large is refused with a word, not with a broken line.
        .layer(DefaultBodyLimit::max(2 * worker::MAX_PIECE_BYTES))
}

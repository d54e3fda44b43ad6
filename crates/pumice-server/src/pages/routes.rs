//! Where the pages are: LAVA's addresses, where it has one.

use std::sync::Arc;

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{account, compare, devices, help, home, jobs, queue, results, stream, submit, workers};
use crate::app::Shared;

/// The routes of the pages.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(home::home))
        .route("/scheduler/", get(home::home))
        .route("/scheduler/alljobs", get(jobs::all))
        .route("/scheduler/activejobs", get(jobs::active))
        .route("/scheduler/myjobs", get(jobs::mine))
        .route("/scheduler/queue", get(queue::waiting))
        .route("/scheduler/job/{id}", get(jobs::one))
        .route("/scheduler/job/{id}/", get(jobs::one))
        .route("/scheduler/job/{id}/definition", get(jobs::definition))
        .route("/scheduler/job/{id}/stream", get(stream::log))
        .route("/scheduler/job/{id}/cancel", post(jobs::cancel))
        .route("/scheduler/job/{id}/resubmit", post(jobs::resubmit))
        .route("/scheduler/job/{id}/annotate", post(jobs::annotate))
        .route("/scheduler/job/{id}/priority", post(jobs::priority))
        .route("/scheduler/jobsubmit", get(submit::form).post(submit::submit))
        .route("/scheduler/jobsubmit/check", post(submit::check))
        .route("/scheduler/alldevices", get(devices::all))
        .route("/scheduler/device/{hostname}", get(devices::one))
        .route("/scheduler/device/{hostname}/health", post(devices::set_health))
        .route("/scheduler/device_types", get(devices::types))
        .route("/scheduler/device_type/{name}", get(devices::one_type))
        .route("/scheduler/allworkers", get(workers::all))
        .route("/scheduler/worker/{hostname}", get(workers::one))
        .route("/results/", get(results::lately))
        .route("/results/compare", get(compare::two))
        .route("/results/{id}", get(results::of_job))
        .route("/results/{id}/{suite}", get(results::of_suite))
        .route("/results/testcase/{id}", get(results::case))
        .route("/api/help/", get(help::apis))
        .route("/login", get(account::form).post(account::login))
        .route("/logout", post(account::logout))
        .route("/me/", get(account::me))
        .route("/me/tokens", post(account::make))
        .route("/me/tokens/{id}/delete", post(account::end))
        .route("/static/style.css", get(style))
        .route("/static/app.js", get(script))
        .route("/static/log.js", get(log_script))
        .route("/static/files.js", get(files_script))
        .route("/static/icon.svg", get(icon))
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../../static/style.css"))
}

async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../static/app.js"))
}

async fn log_script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../static/log.js"))
}

async fn files_script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../static/files.js"))
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../../static/icon.svg"))
}

/// The address has the version, so that a browser may keep it.
fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, text).into_response()
}

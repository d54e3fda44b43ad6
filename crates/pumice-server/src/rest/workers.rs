//! Workers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use pumice_db::{Condition, Order, Worker, WorkerFile};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Who, text},
    list::ListQuery,
};
use crate::{app::Shared, lab::workers, refusal::Refusal};

fn shown(shared: &Shared, who: &Who, worker: &Worker) -> Value {
    let mut shown = json!({
        "hostname": worker.hostname,
        "state": worker.state.as_str(),
        "health": worker.health.as_str(),
        "description": worker.description,
        "last_ping": worker.last_ping.rest(),
        "job_limit": worker.job_limit,
        "version": worker.version,
    });
    if who.sees_tokens() {
        shown["token"] = json!(workers::token(shared, worker));
    }
    shown
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let conditions = query.conditions(Condition::on_workers)?;
    let orders = query.orders(Order::of_workers);
    let mut reader = shared.database.read().await?;
    let listing = reader.workers(&conditions, &orders, query.page()).await?;
    query.answer(&listing, |worker| shown(&shared, &who, worker))
}

async fn one(shared: &Shared, who: &Who, hostname: &str) -> Answer {
    let worker = workers::find(&mut shared.database.read().await?, hostname).await?;
    Ok(Json(shown(shared, who, &worker)))
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Answer {
    one(&shared, &who, &hostname).await
}

#[derive(Deserialize)]
pub(super) struct WorkerBody {
    hostname: Option<String>,
    description: Option<String>,
    health: Option<String>,
    job_limit: Option<i64>,
}

pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<WorkerBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let hostname = body.hostname.ok_or_else(|| Refusal::Invalid("`hostname` is missing".to_owned()))?;
    workers::add(&shared, &who, &hostname, body.description.as_deref(), false).await?;
    if body.health.is_some() || body.job_limit.is_some() {
        workers::change(&shared, &who, &hostname, None, body.health.as_deref(), body.job_limit).await?;
    }
    Ok((StatusCode::CREATED, one(&shared, &who, &hostname).await?))
}

pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(body): Body<WorkerBody>,
) -> Answer {
    let (description, health) = (body.description.as_deref(), body.health.as_deref());
    workers::change(&shared, &who, &hostname, description, health, body.job_limit).await?;
    one(&shared, &who, &hostname).await
}

pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Answer<StatusCode> {
    workers::remove(&shared, &who, &hostname).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Health {
    health: String,
}

pub(super) async fn set_health(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(body): Body<Health>,
) -> Answer {
    workers::change(&shared, &who, &hostname, None, Some(&body.health), None).await?;
    Ok(Json(json!({"message": "OK"})))
}

async fn file(shared: &Arc<Shared>, who: &Who, hostname: &str, file: WorkerFile) -> Answer<Response> {
    let found = workers::file(shared, who, hostname, file).await?;
    let found =
        found.ok_or_else(|| Refusal::Missing(format!("Worker '{hostname}' does not have this file")))?;
    Ok(text("application/yaml", found))
}

pub(super) async fn config(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Answer<Response> {
    file(&shared, &who, &hostname, WorkerFile::Config).await
}

pub(super) async fn env(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Answer<Response> {
    file(&shared, &who, &hostname, WorkerFile::Env).await
}

#[derive(Deserialize)]
pub(super) struct Texts {
    config: Option<String>,
    env: Option<String>,
}

pub(super) async fn set_config(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(body): Body<Texts>,
) -> Answer {
    let text = body.config.ok_or_else(|| Refusal::Invalid("`config` is missing".to_owned()))?;
    workers::set_file(&shared, &who, &hostname, WorkerFile::Config, &text).await?;
    Ok(Json(json!({"message": "worker configuration updated"})))
}

pub(super) async fn set_env(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(body): Body<Texts>,
) -> Answer {
    let text = body.env.ok_or_else(|| Refusal::Invalid("`env` is missing".to_owned()))?;
    workers::set_file(&shared, &who, &hostname, WorkerFile::Env, &text).await?;
    Ok(Json(json!({"message": "worker environment updated"})))
}

//! Device types.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use pumice_db::{Condition, DeviceType, DeviceTypeChange, Listing, Order, Reader};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Who, text},
    list::ListQuery,
};
use crate::{app::Shared, lab::device_types, refusal::Refusal};

async fn shown(reader: &mut Reader, known: &DeviceType) -> Result<Value, Refusal> {
    let cores: Vec<_> = known.cores.iter().flat_map(|cores| cores.split(',')).collect();
    Ok(json!({
        "name": known.name,
        "architecture": known.architecture,
        "processor": known.processor,
        "cpu_model": known.cpu_model,
        "aliases": reader.aliases_of(&known.name).await?,
        "bits": known.bits,
        "cores": cores,
        "core_count": known.core_count,
        "description": known.description,
        "health_frequency": known.health_frequency,
        "disable_health_check": known.health_disabled,
        "health_denominator": known.health_denominator,
        "display": known.display,
    }))
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let conditions = query.conditions(Condition::on_device_types)?;
    let orders = query.orders(Order::of_device_types);
    let mut reader = shared.database.read().await?;
    let listing = reader.device_types(&who.viewer, &conditions, &orders, query.page()).await?;
    let mut rows = Vec::new();
    for known in &listing.rows {
        rows.push(shown(&mut reader, known).await?);
    }
    query.answer(&Listing { total: listing.total, rows }, Clone::clone)
}

async fn one(shared: &Shared, who: &Who, name: &str) -> Answer {
    let mut reader = shared.database.read().await?;
    let known = device_types::find(&mut reader, who, name).await?;
    Ok(Json(shown(&mut reader, &known).await?))
}

pub(super) async fn show(State(shared): State<Arc<Shared>>, who: Who, Path(name): Path<String>) -> Answer {
    one(&shared, &who, &name).await
}

#[derive(Deserialize)]
pub(super) struct TypeBody {
    name: Option<String>,
    description: Option<String>,
    display: Option<bool>,
    health_frequency: Option<i64>,
    health_denominator: Option<String>,
    disable_health_check: Option<bool>,
    architecture: Option<String>,
    processor: Option<String>,
    cpu_model: Option<String>,
    bits: Option<i64>,
    cores: Option<Vec<String>>,
    core_count: Option<i64>,
}

pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<TypeBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let name = body.name.ok_or_else(|| Refusal::Invalid("`name` is missing".to_owned()))?;
    let mut new = DeviceType::named(&name);
    new.description = body.description;
    new.display = body.display.unwrap_or(true);
    new.health_frequency = body.health_frequency.unwrap_or(new.health_frequency);
    new.health_denominator = body.health_denominator.unwrap_or(new.health_denominator);
    new.health_disabled = body.disable_health_check.unwrap_or(false);
    new.architecture = body.architecture;
    new.processor = body.processor;
    new.cpu_model = body.cpu_model;
    new.bits = body.bits;
    new.cores = body.cores.map(|cores| cores.join(","));
    new.core_count = body.core_count;
    device_types::add(&shared, &who, &new).await?;
    Ok((StatusCode::CREATED, one(&shared, &who, &name).await?))
}

pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
    Body(body): Body<TypeBody>,
) -> Answer {
    let change = DeviceTypeChange {
        description: body.description,
        display: body.display,
        owners_only: None,
        health_disabled: body.disable_health_check,
        health_frequency: body.health_frequency,
        health_denominator: body.health_denominator,
        architecture: body.architecture,
        processor: body.processor,
        cpu_model: body.cpu_model,
        bits: body.bits,
        cores: body.cores.map(|cores| cores.join(",")),
        core_count: body.core_count,
    };
    device_types::change(&shared, &who, &name, &change).await?;
    one(&shared, &who, &name).await
}

pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    device_types::remove(&shared, &who, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn template(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
) -> Answer<Response> {
    let known = device_types::find(&mut shared.database.read().await?, &who, &name).await?;
    let found = device_types::template(&shared, &known);
    Ok(text("application/yaml", found.ok_or_else(|| Refusal::missing("Template of", &name))?))
}

pub(super) async fn health_check(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
) -> Answer<Response> {
    let known = device_types::find(&mut shared.database.read().await?, &who, &name).await?;
    Ok(text(
        "application/yaml",
        known.health_check.ok_or_else(|| Refusal::missing("Health check of", &name))?,
    ))
}

#[derive(Deserialize)]
pub(super) struct Config {
    config: String,
}

pub(super) async fn set_template(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
    Body(body): Body<Config>,
) -> Answer<StatusCode> {
    device_types::set_template(&shared, &who, &name, &body.config).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_health_check(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
    Body(body): Body<Config>,
) -> Answer<StatusCode> {
    device_types::set_health_check(&shared, &who, &name, &body.config).await?;
    Ok(StatusCode::NO_CONTENT)
}

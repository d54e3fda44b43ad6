//! Devices.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use pumice_db::{Condition, Device, Listing, Order, Reader};
use pumice_device::{DeviceTypes, RenderRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Who},
    list::ListQuery,
};
use crate::{
    app::Shared,
    lab::{
        devices::{self, Described},
        library, render,
    },
    refusal::Refusal,
};

async fn shown(reader: &mut Reader, device: &Device) -> Result<Value, Refusal> {
    let mut tags = Vec::new();
    for name in reader.device_tags(&device.hostname).await? {
        tags.extend(reader.tag(&name).await?.map(|tag| tag.id));
    }
    Ok(json!({
        "hostname": device.hostname,
        "device_type": device.device_type,
        "device_version": device.device_version,
        "physical_owner": device.physical_owner,
        "physical_group": device.physical_group,
        "description": device.description,
        "tags": tags,
        "state": device.state.as_str(),
        "health": device.health.as_str(),
        "last_health_report_job": device.last_health_job,
        "worker_host": device.worker,
        "is_synced": device.is_synced,
    }))
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let mut conditions = query.conditions(Condition::on_devices)?;
    if !query.flag("all") {
        conditions.push(Condition::not_retired());
    }
    let orders = query.orders(Order::of_devices);
    let mut reader = shared.database.read().await?;
    let listing = reader.devices(&who.viewer, &conditions, &orders, query.page()).await?;
    let mut rows = Vec::new();
    for device in &listing.rows {
        rows.push(shown(&mut reader, device).await?);
    }
    query.answer(&Listing { total: listing.total, rows }, Clone::clone)
}

async fn one(shared: &Shared, who: &Who, hostname: &str) -> Answer {
    let mut reader = shared.database.read().await?;
    let device = devices::find(&mut reader, who, hostname).await?;
    Ok(Json(shown(&mut reader, &device).await?))
}

pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Answer {
    one(&shared, &who, &hostname).await
}

#[derive(Deserialize)]
pub(super) struct DeviceBody {
    hostname: Option<String>,
    device_type: Option<String>,
    worker_host: Option<String>,
    physical_owner: Option<String>,
    physical_group: Option<String>,
    health: Option<String>,
    description: Option<String>,
    reason: Option<String>,
    tags: Option<Vec<TagName>>,
}

/// A tag by its key, as LAVA has it, or by its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum TagName {
    Key(i64),
    Name(String),
}

impl DeviceBody {
    fn described(self) -> Described {
        Described {
            device_type: self.device_type,
            worker: self.worker_host,
            owner: self.physical_owner,
            group: self.physical_group,
            health: self.health,
            description: self.description,
            reason: self.reason,
        }
    }
}

/// The names of the tags a body gives a device; refused when one of the keys is nobody's.
async fn tag_names(shared: &Shared, tags: Vec<TagName>) -> Result<BTreeSet<String>, Refusal> {
    let known = shared.database.read().await?.tags(&[]).await?;
    let named = tags.into_iter().map(|tag| match tag {
        TagName::Name(name) => Ok(name),
        TagName::Key(key) => {
            let tag = known.iter().find(|tag| tag.id == key);
            tag.map(|tag| tag.name.clone()).ok_or_else(|| Refusal::Invalid(format!("there is no tag {key}")))
        }
    });
    named.collect()
}

/// Gives a device exactly these tags.
async fn set_tags(
    shared: &Arc<Shared>,
    who: &Who,
    hostname: &str,
    wanted: &BTreeSet<String>,
) -> Result<(), Refusal> {
    let present = shared.database.read().await?.device_tags(hostname).await?;
    let present: BTreeSet<String> = present.into_iter().collect();
    for tag in wanted.symmetric_difference(&present) {
        devices::set_tag(shared, who, hostname, tag, wanted.contains(tag)).await?;
    }
    Ok(())
}

pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(mut body): Body<DeviceBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let hostname =
        body.hostname.clone().ok_or_else(|| Refusal::Invalid("`hostname` is missing".to_owned()))?;
    let tags = tag_names(&shared, body.tags.take().unwrap_or_default()).await?;
    devices::add(&shared, &who, &hostname, &body.described()).await?;
    set_tags(&shared, &who, &hostname, &tags).await?;
    Ok((StatusCode::CREATED, one(&shared, &who, &hostname).await?))
}

pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(mut body): Body<DeviceBody>,
) -> Answer {
    let tags = match body.tags.take() {
        Some(tags) => Some(tag_names(&shared, tags).await?),
        None => None,
    };
    devices::change(&shared, &who, &hostname, &body.described()).await?;
    if let Some(tags) = tags {
        set_tags(&shared, &who, &hostname, &tags).await?;
    }
    one(&shared, &who, &hostname).await
}

pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
) -> Answer<StatusCode> {
    devices::remove(&shared, &who, &hostname).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Health {
    health: String,
    reason: Option<String>,
}

pub(super) async fn set_health(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(body): Body<Health>,
) -> Answer {
    let described = Described { health: Some(body.health), reason: body.reason, ..Described::default() };
    devices::change(&shared, &who, &hostname, &described).await?;
    Ok(Json(json!({"message": "OK"})))
}

pub(super) async fn dictionary(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    query: ListQuery,
) -> Answer {
    let mut reader = shared.database.read().await?;
    let device = devices::find(&mut reader, &who, &hostname).await?;
    let missing = || Refusal::Missing(format!("Device '{hostname}' does not have a configuration"));
    if !query.flag("render") {
        let text = reader.dictionary(&hostname).await?.ok_or_else(missing)?;
        return Ok(Json(json!({"dictionary": text})));
    }
    let context = render::context(query.get("context").unwrap_or_default());
    let context = context.ok_or_else(|| Refusal::Invalid("`context` is not a mapping in YAML".to_owned()))?;
    let rendered = render::device(&shared, &mut reader, &device, &context).await?;
    let text = rendered
        .map_err(|reason| Refusal::Invalid(format!("Device '{hostname}' does not render: {reason}")))?;
    Ok(Json(json!({"dictionary": text})))
}

#[derive(Deserialize)]
pub(super) struct Dictionary {
    dictionary: String,
}

pub(super) async fn set_dictionary(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(hostname): Path<String>,
    Body(body): Body<Dictionary>,
) -> Answer {
    devices::set_dictionary(&shared, &who, &hostname, &body.dictionary).await?;
    Ok(Json(json!({"message": "Device dictionary updated"})))
}

pub(super) async fn validate(State(shared): State<Arc<Shared>>, who: Who, text: String) -> Answer {
    who.logged_in()?;
    let own = shared.database.read().await?.device_type_templates().await?;
    let directories = shared.config.library.clone();
    let rendered = tokio::task::spawn_blocking(move || {
        let types = DeviceTypes::new(move |file| {
            let name = file.strip_suffix(".jinja2").unwrap_or(file);
            own.iter()
                .find(|(known, _)| known == name)
                .map(|(_, text)| text.clone())
                .or_else(|| library::template(&directories, name))
        });
        let context = pumice_yaml::Map::default();
        let request = RenderRequest {
            source: "the dictionary",
            dictionary: &text,
            device: "device",
            device_type: "device-type",
            context: &context,
        };
        types.render(&request).map(drop).map_err(|error| error.to_string())
    });
    match rendered.await.map_err(|error| Refusal::Internal(error.to_string()))? {
        Ok(()) => Ok(Json(json!({"message": "Device dictionary is valid."}))),
        Err(reason) => Err(Refusal::Invalid(format!("Device dictionary is invalid: {reason}")).into()),
    }
}

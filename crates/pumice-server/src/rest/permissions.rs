//! Permissions on devices and device types.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use pumice_db::{ObjectKind, ObjectPermission};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Body, Refused, Who},
    list::ListQuery,
    seen::Key,
};
use crate::{app::Shared, lab::permissions, refusal::Refusal};

fn shown(kind: ObjectKind, permission: &ObjectPermission) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(permission.id));
    members.insert("group".to_owned(), json!(permission.group));
    members.insert("permission".to_owned(), json!(permission.permission));
    members.insert(kind.as_str().to_owned(), json!(permission.object));
    Value::Object(members)
}

async fn all(shared: &Shared, who: &Who, kind: ObjectKind) -> Result<Vec<ObjectPermission>, Refused> {
    who.needs(match kind {
        ObjectKind::Device => "lava_scheduler_app.view_device",
        ObjectKind::DeviceType => "lava_scheduler_app.view_devicetype",
        ObjectKind::Worker => "lava_scheduler_app.view_worker",
    })?;
    Ok(shared.database.read().await?.all_permissions_on(kind).await?)
}

async fn one(shared: &Shared, who: &Who, kind: ObjectKind, id: i64) -> Result<ObjectPermission, Refused> {
    let found = all(shared, who, kind).await?.into_iter().find(|permission| permission.id == id);
    found.ok_or_else(|| Refusal::missing("Permission", id).into())
}

#[derive(Deserialize)]
pub(super) struct PermissionBody {
    group: String,
    permission: String,
    device: Option<String>,
    devicetype: Option<String>,
}

async fn add(
    shared: &Arc<Shared>,
    who: &Who,
    kind: ObjectKind,
    body: PermissionBody,
) -> Answer<(StatusCode, Json<Value>)> {
    let object = if kind == ObjectKind::Device { body.device } else { body.devicetype };
    let object = object.ok_or_else(|| Refusal::Invalid(format!("`{}` is missing", kind.as_str())))?;
    permissions::set(shared, who, kind, &object, &body.group, &body.permission, true).await?;
    let granted = shared.database.read().await?.permissions_on(kind, &object).await?;
    let found = granted.iter().find(|p| p.group == body.group && p.permission == body.permission);
    Ok((StatusCode::CREATED, Json(found.map(|found| shown(kind, found)).unwrap_or_default())))
}

async fn remove(shared: &Arc<Shared>, who: &Who, kind: ObjectKind, id: i64) -> Answer<StatusCode> {
    let found = one(shared, who, kind, id).await?;
    permissions::set(shared, who, kind, &found.object, &found.group, &found.permission, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn of_devices(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let found = all(&shared, &who, ObjectKind::Device).await?;
    query.answer(&query.cut(found), |permission| shown(ObjectKind::Device, permission))
}

pub(super) async fn of_types(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    let found = all(&shared, &who, ObjectKind::DeviceType).await?;
    query.answer(&query.cut(found), |permission| shown(ObjectKind::DeviceType, permission))
}

pub(super) async fn of_device(State(shared): State<Arc<Shared>>, who: Who, Key(id): Key) -> Answer {
    Ok(Json(shown(ObjectKind::Device, &one(&shared, &who, ObjectKind::Device, id).await?)))
}

pub(super) async fn of_type(State(shared): State<Arc<Shared>>, who: Who, Key(id): Key) -> Answer {
    Ok(Json(shown(ObjectKind::DeviceType, &one(&shared, &who, ObjectKind::DeviceType, id).await?)))
}

pub(super) async fn add_to_device(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<PermissionBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    add(&shared, &who, ObjectKind::Device, body).await
}

pub(super) async fn add_to_type(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<PermissionBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    add(&shared, &who, ObjectKind::DeviceType, body).await
}

pub(super) async fn remove_from_device(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
) -> Answer<StatusCode> {
    remove(&shared, &who, ObjectKind::Device, id).await
}

pub(super) async fn remove_from_type(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
) -> Answer<StatusCode> {
    remove(&shared, &who, ObjectKind::DeviceType, id).await
}

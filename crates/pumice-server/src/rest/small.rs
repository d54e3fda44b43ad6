//! Aliases, tags and remote artifact tokens.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use pumice_db::{ArtifactToken, Condition, Tag};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Refused, Who},
    list::ListQuery,
    seen::Key,
};
use crate::{
    access::Scope,
    app::Shared,
    lab::{artifact_tokens, devices::refresh_all, valid_name},
    refusal::Refusal,
};

fn alias_shown((name, device_type): &(String, String)) -> Value {
    json!({"name": name, "device_type": device_type})
}

pub(super) async fn aliases(State(shared): State<Arc<Shared>>, _: Who, query: ListQuery) -> Answer {
    let mut all = shared.database.read().await?.aliases().await?;
    if let Some(wanted) = query.get("name") {
        all.retain(|(name, _)| name == wanted);
    }
    query.answer(&query.cut(all), alias_shown)
}

pub(super) async fn alias(State(shared): State<Arc<Shared>>, _: Who, Path(name): Path<String>) -> Answer {
    let found = shared.database.read().await?.alias(&name).await?;
    let device_type = found.ok_or_else(|| Refusal::missing("Alias", &name))?;
    Ok(Json(alias_shown(&(name, device_type))))
}

#[derive(Deserialize)]
pub(super) struct AliasBody {
    name: String,
    device_type: String,
}

#[derive(Deserialize)]
pub(super) struct AliasChange {
    device_type: Option<String>,
}

pub(super) async fn add_alias(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<AliasBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    who.needs("lava_scheduler_app.change_devicetype")?;
    valid_name("alias", &body.name)?;
    let mut writer = shared.database.write().await?;
    if writer.device_type(&body.device_type).await?.is_none() {
        return Err(Refusal::Invalid(format!("device type '{}' does not exist", body.device_type)).into());
    }
    writer.insert_alias(&body.name, &body.device_type).await?;
    writer.commit().await?;
    Ok((StatusCode::CREATED, Json(alias_shown(&(body.name, body.device_type)))))
}

/// Lets an alias stand for another device type.
pub(super) async fn change_alias(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
    Body(body): Body<AliasChange>,
) -> Answer {
    who.needs("lava_scheduler_app.change_devicetype")?;
    let mut writer = shared.database.write().await?;
    let known = writer.alias(&name).await?.ok_or_else(|| Refusal::missing("Alias", &name))?;
    let device_type = body.device_type.unwrap_or(known);
    if writer.device_type(&device_type).await?.is_none() {
        return Err(Refusal::Invalid(format!("device type '{device_type}' does not exist")).into());
    }
    writer.delete_alias(&name).await?;
    writer.insert_alias(&name, &device_type).await?;
    writer.commit().await?;
    Ok(Json(alias_shown(&(name, device_type))))
}

pub(super) async fn delete_alias(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    who.needs("lava_scheduler_app.change_devicetype")?;
    let mut writer = shared.database.write().await?;
    if !writer.delete_alias(&name).await? {
        return Err(Refusal::missing("Alias", name).into());
    }
    writer.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn tag_shown(tag: &Tag) -> Value {
    json!({"id": tag.id, "name": tag.name, "description": tag.description})
}

async fn find_tag(shared: &Shared, id: i64) -> Result<Tag, Refused> {
    let tags = shared.database.read().await?.tags(&[]).await?;
    tags.into_iter().find(|tag| tag.id == id).ok_or_else(|| Refusal::missing("Tag", id).into())
}

pub(super) async fn tags(State(shared): State<Arc<Shared>>, _: Who, query: ListQuery) -> Answer {
    let conditions = query.conditions(Condition::on_tags)?;
    let all = shared.database.read().await?.tags(&conditions).await?;
    query.answer(&query.cut(all), tag_shown)
}

pub(super) async fn tag(State(shared): State<Arc<Shared>>, _: Who, Key(id): Key) -> Answer {
    Ok(Json(tag_shown(&find_tag(&shared, id).await?)))
}

#[derive(Deserialize)]
pub(super) struct TagBody {
    name: Option<String>,
    description: Option<String>,
}

pub(super) async fn add_tag(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<TagBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    who.needs("lava_scheduler_app.add_tag")?;
    let name = body.name.ok_or_else(|| Refusal::Invalid("`name` is missing".to_owned()))?;
    valid_name("tag", &name)?;
    let mut writer = shared.database.write().await?;
    let id = writer.insert_tag(&name, body.description.as_deref()).await?;
    writer.commit().await?;
    Ok((StatusCode::CREATED, Json(tag_shown(&find_tag(&shared, id).await?))))
}

pub(super) async fn change_tag(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
    Body(body): Body<TagBody>,
) -> Answer {
    who.needs("lava_scheduler_app.change_tag")?;
    let known = find_tag(&shared, id).await?;
    let name = body.name.unwrap_or(known.name);
    valid_name("tag", &name)?;
    let mut writer = shared.database.write().await?;
    writer.update_tag(id, &name, body.description.or(known.description).as_deref()).await?;
    writer.commit().await?;
    refresh_all(&shared).await?;
    Ok(Json(tag_shown(&find_tag(&shared, id).await?)))
}

pub(super) async fn delete_tag(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
) -> Answer<StatusCode> {
    who.needs("lava_scheduler_app.delete_tag")?;
    let known = find_tag(&shared, id).await?;
    let mut writer = shared.database.write().await?;
    writer.delete_tag(&known.name).await?;
    writer.commit().await?;
    refresh_all(&shared).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn token_shown(token: &ArtifactToken) -> Value {
    json!({"id": token.id, "name": token.name, "token": token.secret})
}

async fn own_tokens(shared: &Shared, who: &Who) -> Result<Vec<ArtifactToken>, Refused> {
    let user = who.using(Scope::Manage)?.id;
    let mut reader = shared.database.read().await?;
    Ok(artifact_tokens::of_user(&mut reader, &shared.key, user).await?)
}

pub(super) async fn own_artifact_tokens(
    State(shared): State<Arc<Shared>>,
    who: Who,
    query: ListQuery,
) -> Answer {
    query.answer(&query.cut(own_tokens(&shared, &who).await?), token_shown)
}

pub(super) async fn artifact_token(State(shared): State<Arc<Shared>>, who: Who, Key(id): Key) -> Answer {
    let found = own_tokens(&shared, &who).await?.into_iter().find(|token| token.id == id);
    Ok(Json(token_shown(&found.ok_or_else(|| Refusal::missing("Token", id))?)))
}

#[derive(Deserialize)]
pub(super) struct TokenBody {
    name: String,
    token: String,
}

pub(super) async fn add_artifact_token(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<TokenBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    let user = who.using(Scope::Manage)?.id;
    let mut writer = shared.database.write().await?;
    let id = artifact_tokens::put(&mut writer, &shared.key, user, &body.name, &body.token).await?;
    writer.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "name": body.name, "token": body.token}))))
}

#[derive(Deserialize)]
pub(super) struct TokenChange {
    token: Option<String>,
}

/// Gives one of one's secrets another value.
pub(super) async fn change_artifact_token(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
    Body(body): Body<TokenChange>,
) -> Answer {
    let user = who.using(Scope::Manage)?.id;
    let found = own_tokens(&shared, &who).await?.into_iter().find(|token| token.id == id);
    let mut found = found.ok_or_else(|| Refusal::missing("Token", id))?;
    if let Some(secret) = body.token {
        let mut writer = shared.database.write().await?;
        artifact_tokens::put(&mut writer, &shared.key, user, &found.name, &secret).await?;
        writer.commit().await?;
        found.secret = secret;
    }
    Ok(Json(token_shown(&found)))
}

pub(super) async fn delete_artifact_token(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
) -> Answer<StatusCode> {
    let user = who.using(Scope::Manage)?.id;
    let found = own_tokens(&shared, &who).await?.into_iter().find(|token| token.id == id);
    let found = found.ok_or_else(|| Refusal::missing("Token", id))?;
    let mut writer = shared.database.write().await?;
    writer.delete_artifact_token(user, &found.name).await?;
    writer.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

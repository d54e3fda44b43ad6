//! Aliases, tags and remote artifact tokens.

use pumice_db::DbError;

use super::super::{Answer, Call, Value};
use crate::{
    access::Scope,
    lab::{artifact_tokens, valid_name},
    refusal::Refusal,
};

/// Adds an alias of a device type.
pub(super) async fn add_alias(call: &Call, alias: &str, device_type: &str) -> Answer {
    call.who.needs("lava_scheduler_app.change_devicetype")?;
    valid_name("alias", alias)?;
    let mut writer = call.shared.database.write().await?;
    if writer.device_type(device_type).await?.is_none() {
        return Err(Refusal::Invalid("Bad request. DeviceType does not exist".to_owned()).into());
    }
    writer.insert_alias(alias, device_type).await.map_err(|error| match error {
        DbError::AlreadyExists => Refusal::Invalid("Bad request: alias already exists?".to_owned()),
        other => other.into(),
    })?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn alias_add(call: Call) -> Answer {
    let (alias, device_type) = (call.arguments.text(0)?, call.arguments.text(1)?);
    add_alias(&call, &alias, &device_type).await
}

pub(in super::super) async fn alias_delete(call: Call) -> Answer {
    call.who.needs("lava_scheduler_app.change_devicetype")?;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    if !writer.delete_alias(&name).await? {
        return Err(Refusal::missing("Alias", name).into());
    }
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn alias_list(call: Call) -> Answer {
    let aliases = call.shared.database.read().await?.aliases().await?;
    Ok(aliases.into_iter().map(|(name, _)| Value::from(name)).collect())
}

pub(in super::super) async fn alias_show(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let device_type = call.shared.database.read().await?.alias(&name).await?;
    let device_type = device_type.ok_or_else(|| Refusal::missing("Alias", &name))?;
    Ok(Value::members([("name", name.into()), ("device_type", device_type.into())]))
}

pub(in super::super) async fn tag_add(call: Call) -> Answer {
    call.who.needs("lava_scheduler_app.add_tag")?;
    let (name, description) = (call.arguments.text(0)?, call.arguments.maybe_text(1)?);
    valid_name("tag", &name)?;
    let mut writer = call.shared.database.write().await?;
    writer.insert_tag(&name, description.as_deref()).await.map_err(|error| match error {
        DbError::AlreadyExists => Refusal::Invalid("Bad request: tag already exists?".to_owned()),
        other => other.into(),
    })?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn tag_delete(call: Call) -> Answer {
    call.who.needs("lava_scheduler_app.delete_tag")?;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    if !writer.delete_tag(&name).await? {
        return Err(Refusal::missing("Tag", name).into());
    }
    writer.commit().await?;
    crate::lab::devices::refresh_all(&call.shared).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn tag_list(call: Call) -> Answer {
    let tags = call.shared.database.read().await?.tags(&[]).await?;
    Ok(tags
        .into_iter()
        .map(|tag| Value::members([("name", tag.name.into()), ("description", tag.description.into())]))
        .collect())
}

pub(in super::super) async fn tag_show(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let tag = reader.tag(&name).await?.ok_or_else(|| Refusal::missing("Tag", &name))?;
    let mut devices = Vec::new();
    for hostname in reader.devices_with_tag(tag.id).await? {
        let device = reader.device(&hostname).await?;
        let device = device.filter(|d| call.who.viewer.sees_device(&d.hostname, &d.device_type));
        devices.extend(device.map(|device| device.hostname));
    }
    Ok(Value::members([
        ("name", tag.name.into()),
        ("description", tag.description.into()),
        ("devices", devices.into()),
    ]))
}

pub(in super::super) async fn artifact_token_add(call: Call) -> Answer {
    let user = call.who.using(Scope::Manage)?.id;
    let (name, secret) = (call.arguments.text(0)?, call.arguments.text(1)?);
    let mut writer = call.shared.database.write().await?;
    artifact_tokens::put(&mut writer, &call.shared.key, user, &name, &secret).await?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn artifact_token_delete(call: Call) -> Answer {
    let user = call.who.using(Scope::Manage)?.id;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    if !writer.delete_artifact_token(user, &name).await? {
        return Err(Refusal::missing("Token", name).into());
    }
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn artifact_token_list(call: Call) -> Answer {
    let user = call.who.using(Scope::Manage)?.id;
    let mut reader = call.shared.database.read().await?;
    let tokens = artifact_tokens::of_user(&mut reader, &call.shared.key, user).await?;
    Ok(tokens
        .into_iter()
        .map(|token| Value::members([("name", token.name.into()), ("token", token.secret.into())]))
        .collect())
}

pub(in super::super) async fn artifact_token_show(call: Call) -> Answer {
    let user = call.who.using(Scope::Manage)?.id;
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let tokens = artifact_tokens::of_user(&mut reader, &call.shared.key, user).await?;
    let token = tokens.into_iter().find(|token| token.name == name);
    Ok(token.ok_or_else(|| Refusal::missing("Token", &name))?.secret.into())
}

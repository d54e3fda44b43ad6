//! `scheduler.devices.*`

use pumice_db::{Condition, ObjectKind, Page};

use super::super::{Answer, Call, Value};
use crate::{
    lab::{
        devices::{self, Described},
        permissions, render,
    },
    refusal::Refusal,
};

/// Every row at once.
pub(super) const ALL: Page = Page { limit: 1 << 31, offset: 0 };

pub(in super::super) async fn add(call: Call) -> Answer {
    let arguments = &call.arguments;
    let described = Described {
        device_type: Some(arguments.text(1)?),
        worker: Some(arguments.text(2)?),
        owner: arguments.maybe_text(3)?,
        group: arguments.maybe_text(4)?,
        health: arguments.maybe_text(6)?,
        description: arguments.maybe_text(7)?,
        reason: None,
    };
    devices::add(&call.shared, &call.who, &arguments.text(0)?, &described).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn update(call: Call) -> Answer {
    let arguments = &call.arguments;
    let described = Described {
        worker: arguments.maybe_text(1)?,
        owner: arguments.maybe_text(2)?,
        group: arguments.maybe_text(3)?,
        health: arguments.maybe_text(5)?,
        description: arguments.maybe_text(6)?,
        device_type: arguments.maybe_text(7)?,
        reason: arguments.maybe_text(8)?,
    };
    devices::change(&call.shared, &call.who, &arguments.text(0)?, &described).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn delete(call: Call) -> Answer {
    devices::remove(&call.shared, &call.who, &call.arguments.text(0)?).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn list(call: Call) -> Answer {
    let conditions = if call.arguments.flag(0)? { vec![] } else { vec![Condition::not_retired()] };
    let mut reader = call.shared.database.read().await?;
    let found = reader.devices(&call.who.viewer, &conditions, &[], ALL).await?;
    Ok(found
        .rows
        .into_iter()
        .map(|device| {
            Value::members([
                ("hostname", device.hostname.into()),
                ("type", device.device_type.into()),
                ("health", device.health.as_str().into()),
                ("state", device.state.as_str().into()),
                ("current_job", device.current_job.into()),
                ("pipeline", Value::Bool(true)),
            ])
        })
        .collect())
}

pub(in super::super) async fn show(call: Call) -> Answer {
    let hostname = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let device = devices::find(&mut reader, &call.who, &hostname).await?;
    let tags = reader.device_tags(&hostname).await?;
    let granted = reader.permissions_on(ObjectKind::Device, &hostname).await?;
    let permissions: Value = granted
        .into_iter()
        .map(|grant| Value::members([("name", grant.permission.into()), ("group", grant.group.into())]))
        .collect();
    Ok(Value::members([
        ("hostname", device.hostname.into()),
        ("device_type", device.device_type.into()),
        ("health", device.health.as_str().into()),
        ("state", device.state.as_str().into()),
        ("health_job", Value::Bool(device.is_checked)),
        ("description", device.description.into()),
        ("pipeline", Value::Bool(true)),
        ("has_device_dict", Value::Bool(device.has_dictionary)),
        ("worker", device.worker.into()),
        ("current_job", device.current_job.into()),
        ("tags", tags.into()),
        ("permissions", permissions),
    ]))
}

pub(in super::super) async fn get_dictionary(call: Call) -> Answer {
    let (hostname, rendered) = (call.arguments.text(0)?, call.arguments.flag(1)?);
    let context = call.arguments.maybe_text(2)?.unwrap_or_default();
    dictionary(&call, &hostname, rendered, &context).await
}

/// A device's dictionary, as it is or rendered.
pub(super) async fn dictionary(call: &Call, hostname: &str, rendered: bool, context: &str) -> Answer {
    let mut reader = call.shared.database.read().await?;
    let device = devices::find(&mut reader, &call.who, hostname).await?;
    let missing = || Refusal::Missing(format!("Device '{hostname}' does not have a configuration"));
    let text = if rendered {
        let context = render::context(context)
            .ok_or_else(|| Refusal::Invalid("Job Context is not a mapping in YAML".to_owned()))?;
        let rendered = render::device(&call.shared, &mut reader, &device, &context).await?;
        rendered.map_err(|reason| {
            tracing::info!(device = hostname, reason, "a device does not render");
            missing()
        })?
    } else {
        reader.dictionary(hostname).await?.ok_or_else(missing)?
    };
    Ok(Value::Binary(text.into_bytes()))
}

pub(in super::super) async fn set_dictionary(call: Call) -> Answer {
    let (hostname, text) = (call.arguments.text(0)?, call.arguments.text(1)?);
    devices::set_dictionary(&call.shared, &call.who, &hostname, &text).await?;
    Ok(Value::Bool(true))
}

async fn set_tag(call: Call, has_it: bool) -> Answer {
    let (hostname, tag) = (call.arguments.text(0)?, call.arguments.text(1)?);
    devices::set_tag(&call.shared, &call.who, &hostname, &tag, has_it).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn tag_add(call: Call) -> Answer {
    set_tag(call, true).await
}

pub(in super::super) async fn tag_delete(call: Call) -> Answer {
    set_tag(call, false).await
}

pub(in super::super) async fn tag_list(call: Call) -> Answer {
    let hostname = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    devices::find(&mut reader, &call.who, &hostname).await?;
    Ok(reader.device_tags(&hostname).await?.into())
}

/// Gives a group a permission for an object, or takes it.
pub(super) async fn set_permission(call: Call, kind: ObjectKind, has_it: bool) -> Answer {
    let (name, group, permission) =
        (call.arguments.text(0)?, call.arguments.text(1)?, call.arguments.text(2)?);
    permissions::set(&call.shared, &call.who, kind, &name, &group, &permission, has_it).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn perms_add(call: Call) -> Answer {
    set_permission(call, ObjectKind::Device, true).await
}

pub(in super::super) async fn perms_delete(call: Call) -> Answer {
    set_permission(call, ObjectKind::Device, false).await
}

pub(in super::super) async fn perms_list(call: Call) -> Answer {
    list_permissions(call, ObjectKind::Device).await
}

/// The permissions for an object.
pub(super) async fn list_permissions(call: Call, kind: ObjectKind) -> Answer {
    let granted = permissions::list(&call.shared, &call.who, kind, &call.arguments.text(0)?).await?;
    Ok(permission_list(granted))
}

/// Permissions as clients read them.
pub(super) fn permission_list(granted: Vec<pumice_db::ObjectPermission>) -> Value {
    granted
        .into_iter()
        .map(|grant| Value::members([("name", grant.permission.into()), ("group", grant.group.into())]))
        .collect()
}

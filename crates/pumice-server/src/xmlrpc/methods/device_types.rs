//! `scheduler.device_types.*`

use std::collections::BTreeSet;

use pumice_db::{Condition, DeviceType, DeviceTypeChange, ObjectKind};

use super::{
    super::{Answer, Call, Value},
    devices::{ALL, list_permissions, permission_list, set_permission},
    small,
};
use crate::{
    lab::{device_types, library},
    refusal::Refusal,
};

pub(in super::super) async fn add(call: Call) -> Answer {
    let arguments = &call.arguments;
    let mut new = DeviceType::named(&arguments.text(0)?);
    new.description = arguments.maybe_text(1)?;
    new.display = arguments.maybe_flag(2)?.unwrap_or(true);
    new.owners_only = arguments.flag(3)?;
    new.health_frequency = arguments.maybe_int(4)?.unwrap_or(new.health_frequency);
    new.health_denominator = arguments.maybe_text(5)?.unwrap_or(new.health_denominator);
    device_types::add(&call.shared, &call.who, &new).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn update(call: Call) -> Answer {
    let arguments = &call.arguments;
    let change = DeviceTypeChange {
        description: arguments.maybe_text(1)?,
        display: arguments.maybe_flag(2)?,
        owners_only: arguments.maybe_flag(3)?,
        health_frequency: arguments.maybe_int(4)?,
        health_denominator: arguments.maybe_text(5)?,
        health_disabled: arguments.maybe_flag(6)?,
        ..DeviceTypeChange::default()
    };
    device_types::change(&call.shared, &call.who, &arguments.text(0)?, &change).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn list(call: Call) -> Answer {
    let show_all = call.arguments.flag(0)?;
    let mut reader = call.shared.database.read().await?;
    let found = reader.device_types(&call.who.viewer, &[], &[], ALL).await?.rows;
    let devices = reader.devices(&call.who.viewer, &[Condition::not_retired()], &[], ALL).await?.rows;
    let count = |name: &str| devices.iter().filter(|device| device.device_type == name).count();
    let in_library = library::names(&call.shared.config.library);
    let one = |name: &str, count: usize, installed: bool, template: bool| {
        Value::members([
            ("name", name.into()),
            ("devices", Value::Int(i64::try_from(count).unwrap_or(i64::MAX))),
            ("installed", Value::Bool(installed)),
            ("template", Value::Bool(template)),
        ])
    };
    let known: BTreeSet<_> = found.iter().map(|known| known.name.clone()).collect();
    let mut listed: Vec<_> = found
        .iter()
        .filter(|known| show_all || known.display)
        .map(|known| {
            let has_template = known.template.is_some() || in_library.contains(&known.name);
            (known.name.clone(), one(&known.name, count(&known.name), true, has_template))
        })
        .collect();
    if show_all {
        let others = in_library.difference(&known);
        listed.extend(others.map(|name| (name.clone(), one(name, 0, false, true))));
        listed.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    Ok(listed.into_iter().map(|(_, value)| value).collect())
}

pub(in super::super) async fn show(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let known = device_types::find(&mut reader, &call.who, &name).await?;
    let aliases = reader.aliases_of(&name).await?;
    let conditions: Vec<_> = Condition::on_devices("device_type", &name).into_iter().collect();
    let devices = reader.devices(&call.who.viewer, &conditions, &[], ALL).await?.rows;
    let devices: Vec<_> = devices.into_iter().map(|device| device.hostname).collect();
    let granted = reader.permissions_on(ObjectKind::DeviceType, &name).await?;
    Ok(Value::members([
        ("name", known.name.into()),
        ("description", known.description.into()),
        ("display", Value::Bool(known.display)),
        ("health_disabled", Value::Bool(known.health_disabled)),
        ("health_denominator", known.health_denominator.into()),
        ("health_frequency", Value::Int(known.health_frequency)),
        ("aliases", aliases.into()),
        ("devices", devices.into()),
        ("default_template", Value::Bool(known.template.is_none())),
        ("permissions", permission_list(granted)),
    ]))
}

pub(in super::super) async fn devices(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    device_types::find(&mut reader, &call.who, &name).await?;
    let invalid = |error: pumice_db::UnknownField| Refusal::Invalid(error.to_string());
    let mut conditions = vec![Condition::on_devices("device_type", &name).map_err(invalid)?];
    if let Some(health) = call.arguments.maybe_text(1)? {
        conditions.push(Condition::on_devices("health", &health).map_err(invalid)?);
    }
    let found = reader.devices(&call.who.viewer, &conditions, &[], ALL).await?;
    Ok(found
        .rows
        .into_iter()
        .map(|device| {
            Value::members([
                ("hostname", device.hostname.into()),
                ("state", device.state.as_str().into()),
                ("health", device.health.as_str().into()),
            ])
        })
        .collect())
}

pub(in super::super) async fn get_template(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let known = device_types::find(&mut call.shared.database.read().await?, &call.who, &name).await?;
    let text = device_types::template(&call.shared, &known);
    let text = text.ok_or_else(|| Refusal::missing("Device-type", &name))?;
    Ok(Value::Binary(text.into_bytes()))
}

pub(in super::super) async fn set_template(call: Call) -> Answer {
    let (name, text) = (call.arguments.text(0)?, call.arguments.text(1)?);
    device_types::set_template(&call.shared, &call.who, &name, &text).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn get_health_check(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let known = device_types::find(&mut call.shared.database.read().await?, &call.who, &name).await?;
    let text = known.health_check.ok_or_else(|| Refusal::missing("Device-type", &name))?;
    Ok(Value::Binary(text.into_bytes()))
}

pub(in super::super) async fn set_health_check(call: Call) -> Answer {
    let (name, text) = (call.arguments.text(0)?, call.arguments.text(1)?);
    device_types::set_health_check(&call.shared, &call.who, &name, &text).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn alias_add(call: Call) -> Answer {
    let (name, alias) = (call.arguments.text(0)?, call.arguments.text(1)?);
    small::add_alias(&call, &alias, &name).await
}

pub(in super::super) async fn alias_delete(call: Call) -> Answer {
    let (name, alias) = (call.arguments.text(0)?, call.arguments.text(1)?);
    call.who.needs("lava_scheduler_app.change_devicetype")?;
    let mut writer = call.shared.database.write().await?;
    if writer.alias(&alias).await? != Some(name.clone()) {
        return Err(
            Refusal::Missing(format!("Alias '{alias}' of device-type '{name}' was not found.")).into()
        );
    }
    writer.delete_alias(&alias).await?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn alias_list(call: Call) -> Answer {
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    device_types::find(&mut reader, &call.who, &name).await?;
    Ok(reader.aliases_of(&name).await?.into())
}

pub(in super::super) async fn perms_add(call: Call) -> Answer {
    set_permission(call, ObjectKind::DeviceType, true).await
}

pub(in super::super) async fn perms_delete(call: Call) -> Answer {
    set_permission(call, ObjectKind::DeviceType, false).await
}

pub(in super::super) async fn perms_list(call: Call) -> Answer {
    list_permissions(call, ObjectKind::DeviceType).await
}

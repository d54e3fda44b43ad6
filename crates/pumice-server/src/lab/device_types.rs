//! Device types: adding and changing.

use std::sync::Arc;

use pumice_db::{DbError, DeviceType, DeviceTypeChange, Reader};
use pumice_sched::Event;

use super::{deed, library, valid_name};
use crate::{access::Identity, app::Shared, refusal::Refusal, scheduler::type_for_scheduler};

/// A device type that may be seen.
pub(crate) async fn find(reader: &mut Reader, who: &Identity, name: &str) -> Result<DeviceType, Refusal> {
    let found = reader.device_type(name).await?;
    found
        .filter(|found| who.viewer.sees_type(&found.name))
        .ok_or_else(|| Refusal::missing("Device-type", name))
}

/// A device type that may be changed.
async fn find_to_change(reader: &mut Reader, who: &Identity, name: &str) -> Result<DeviceType, Refusal> {
    let user = who.logged_in()?.username.clone();
    let found = find(reader, who, name).await?;
    if who.may_change_type(reader, name).await? {
        return Ok(found);
    }
    Err(Refusal::Forbidden(format!(
        "User '{user}' is missing permission lava_scheduler_app.change_devicetype."
    )))
}

/// Adds a device type.
pub(crate) async fn add(shared: &Arc<Shared>, who: &Identity, new: &DeviceType) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.change_devicetype")?;
    valid_name("device type", &new.name)?;
    check_denominator(Some(&new.health_denominator))?;
    let mut writer = shared.database.write().await?;
    writer.insert_device_type(new).await.map_err(|error| match error {
        DbError::AlreadyExists => {
            Refusal::Invalid("Bad request: device-type name is already used.".to_owned())
        }
        other => other.into(),
    })?;
    writer.note(&deed(shared, who, "add", "device-type", &new.name, "added")).await?;
    writer.commit().await?;
    refresh(shared, &new.name).await
}

/// Changes a device type.
pub(crate) async fn change(
    shared: &Arc<Shared>,
    who: &Identity,
    name: &str,
    change: &DeviceTypeChange,
) -> Result<(), Refusal> {
    check_denominator(change.health_denominator.as_deref())?;
    let mut writer = shared.database.write().await?;
    find_to_change(&mut writer, who, name).await?;
    writer.update_device_type(name, change).await?;
    writer.note(&deed(shared, who, "change", "device-type", name, "changed")).await?;
    writer.commit().await?;
    refresh(shared, name).await
}

fn check_denominator(word: Option<&str>) -> Result<(), Refusal> {
    match word {
        None | Some("hours" | "jobs") => Ok(()),
        Some(_) => Err(Refusal::Invalid("Bad request: invalid health_denominator.".to_owned())),
    }
}

/// The template that devices of a type extend: set here, or the library's.
pub(crate) fn template(shared: &Shared, known: &DeviceType) -> Option<String> {
    known.template.clone().or_else(|| library::template(&shared.config.library, &known.name))
}

/// Sets a type's template; an empty text gives the library's back.
pub(crate) async fn set_template(
    shared: &Arc<Shared>,
    who: &Identity,
    name: &str,
    text: &str,
) -> Result<(), Refusal> {
    let mut writer = shared.database.write().await?;
    find_to_change(&mut writer, who, name).await?;
    writer.set_template(name, Some(text).filter(|text| !text.is_empty())).await?;
    writer.note(&deed(shared, who, "template", "device-type", name, "template set")).await?;
    writer.commit().await?;
    shared.needs.forget();
    Ok(())
}

/// Sets a type's health check; an empty text removes it.
pub(crate) async fn set_health_check(
    shared: &Arc<Shared>,
    who: &Identity,
    name: &str,
    text: &str,
) -> Result<(), Refusal> {
    let mut writer = shared.database.write().await?;
    find_to_change(&mut writer, who, name).await?;
    writer.set_health_check(name, Some(text).filter(|text| !text.is_empty())).await?;
    writer.note(&deed(shared, who, "health-check", "device-type", name, "health check set")).await?;
    writer.commit().await?;
    refresh(shared, name).await
}

/// Removes a device type that no device is of.
pub(crate) async fn remove(shared: &Arc<Shared>, who: &Identity, name: &str) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.delete_devicetype")?;
    let mut writer = shared.database.write().await?;
    find(&mut writer, who, name).await?;
    writer.delete_device_type(name).await?;
    writer.note(&deed(shared, who, "delete", "device-type", name, "removed")).await?;
    writer.commit().await?;
    Ok(())
}

async fn refresh(shared: &Arc<Shared>, name: &str) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    let Some(known) = reader.device_type(name).await? else { return Ok(()) };
    drop(reader);
    shared.scheduler.tell(Event::PutDeviceType(name.to_owned(), type_for_scheduler(&known))).await?;
    Ok(())
}

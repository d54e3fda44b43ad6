//! Devices: adding and changing.

use std::{collections::BTreeSet, sync::Arc};

use pumice_api::worker::{OfferedDevice, Versioned};
use pumice_db::{DbError, Device, DeviceChange, DeviceHealth, NewDevice, Reader, Writer};
use pumice_sched::Event;
use pumice_types::DeviceName;

use super::{deed, valid_name};
use crate::{
    access::Identity,
    app::Shared,
    events::device_event,
    refusal::Refusal,
    scheduler::{access_of_devices, device_for_scheduler, health_for_scheduler},
};

/// A device that may be seen.
pub(crate) async fn find(reader: &mut Reader, who: &Identity, hostname: &str) -> Result<Device, Refusal> {
    let device = reader.device(hostname).await?;
    device
        .filter(|device| who.viewer.sees_device(&device.hostname, &device.device_type))
        .ok_or_else(|| Refusal::missing("Device", hostname))
}

/// A device that may be changed.
pub(crate) async fn find_to_change(
    reader: &mut Reader,
    who: &Identity,
    hostname: &str,
) -> Result<Device, Refusal> {
    let user = who.logged_in()?.username.clone();
    let device = find(reader, who, hostname).await?;
    if who.may_change_device(reader, &device.hostname, &device.device_type).await? {
        return Ok(device);
    }
    Err(Refusal::Forbidden(format!("User '{user}' is missing permission lava_scheduler_app.change_device.")))
}

/// What a new device is to be, in the words of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    pub(crate) device_type: Option<String>,
    pub(crate) worker: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) health: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) reason: Option<String>,
}

impl Described {
    fn health(&self) -> Result<Option<DeviceHealth>, Refusal> {
        self.health
            .as_deref()
            .map(|word| word.parse().map_err(|()| Refusal::Invalid(format!("Invalid health: '{word}'"))))
            .transpose()
    }

    async fn owner(&self, reader: &mut Reader) -> Result<Option<i64>, Refusal> {
        let Some(name) = &self.owner else { return Ok(None) };
        let user = reader.user(name).await?;
        let user = user.ok_or_else(|| Refusal::Missing(format!("Unable to find username '{name}'")))?;
        Ok(Some(user.id))
    }

    async fn group(&self, reader: &mut Reader) -> Result<Option<i64>, Refusal> {
        let Some(name) = &self.group else { return Ok(None) };
        let group = reader.group(name).await?;
        let group = group.ok_or_else(|| Refusal::Missing(format!("Unable to find group '{name}'")))?;
        Ok(Some(group.id))
    }

    async fn existing(&self, reader: &mut Reader) -> Result<(), Refusal> {
        if let Some(name) = &self.device_type
            && reader.device_type(name).await?.is_none()
        {
            return Err(Refusal::missing("DeviceType", name));
        }
        if let Some(name) = &self.worker
            && reader.worker(name).await?.is_none()
        {
            return Err(Refusal::missing("Worker", name));
        }
        Ok(())
    }
}

/// Adds a device.
pub(crate) async fn add(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    described: &Described,
) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.add_device")?;
    valid_name("device", hostname)?;
    let mut writer = shared.database.write().await?;
    described.existing(&mut writer).await?;
    let device_type = described.device_type.clone();
    let new = NewDevice {
        hostname: hostname.to_owned(),
        device_type: device_type.ok_or_else(|| Refusal::Invalid("Bad request: no device type".to_owned()))?,
        worker: described.worker.clone(),
        health: described.health()?.unwrap_or(DeviceHealth::Unknown),
        description: described.description.clone(),
        physical_owner: described.owner(&mut writer).await?,
        physical_group: described.group(&mut writer).await?,
        dictionary: None,
        slots: 1,
        is_offered: false,
    };
    writer.insert_device(&new).await.map_err(|error| match error {
        DbError::AlreadyExists => Refusal::Invalid("Bad request: device already exists?".to_owned()),
        other => other.into(),
    })?;
    writer.note(&deed(shared, who, "add", "device", hostname, "added")).await?;
    writer.commit().await?;
    refresh(shared, hostname).await
}

/// Changes a device.
pub(crate) async fn change(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    described: &Described,
) -> Result<(), Refusal> {
    let mut writer = shared.database.write().await?;
    let before = find_to_change(&mut writer, who, hostname).await?;
    let owner = described.owner(&mut writer).await?;
    let group = described.group(&mut writer).await?;
    described.existing(&mut writer).await?;
    let health = described.health()?;
    let change = DeviceChange {
        device_type: described.device_type.clone(),
        worker: described.worker.clone(),
        health,
        description: described.description.clone(),
        device_version: None,
        physical_owner: owner,
        physical_group: group,
        slots: None,
    };
    writer.update_device(hostname, &change).await?;
    if let Some(health) = health.filter(|health| *health != before.health) {
        let mut message = format!("{} → {health}", before.health);
        if let Some(reason) = described.reason.as_deref().filter(|reason| !reason.is_empty()) {
            message = format!("{message} ({reason})");
        }
        writer.note(&deed(shared, who, "health", "device", hostname, message)).await?;
    } else {
        writer.note(&deed(shared, who, "change", "device", hostname, "changed")).await?;
    }
    let after = writer.device(hostname).await?;
    writer.commit().await?;
    if let Some(device) = after {
        shared.events.publish(device_event(&device, device.current_job, who.name()), shared.clock.now());
    }
    refresh(shared, hostname).await?;
    if let Some(health) = health {
        let name = DeviceName(hostname.to_owned());
        shared.scheduler.tell(Event::SetDeviceHealth(name, health_for_scheduler(health))).await?;
    }
    Ok(())
}

/// Removes a device on which nothing runs.
pub(crate) async fn remove(shared: &Arc<Shared>, who: &Identity, hostname: &str) -> Result<(), Refusal> {
    who.needs("lava_scheduler_app.delete_device")?;
    let mut writer = shared.database.write().await?;
    let device = find(&mut writer, who, hostname).await?;
    if device.current_job.is_some() {
        return Err(Refusal::Invalid(format!("Device '{hostname}' is in use.")));
    }
    writer.delete_device(hostname).await?;
    writer.note(&deed(shared, who, "delete", "device", hostname, "removed")).await?;
    writer.commit().await?;
    shared.needs.forget_device(hostname);
    shared.scheduler.tell(Event::RemoveDevice(DeviceName(hostname.to_owned()))).await?;
    Ok(())
}

/// Sets a device's dictionary, whether it renders or not; an empty text removes it.
pub(crate) async fn set_dictionary(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    text: &str,
) -> Result<(), Refusal> {
    let mut writer = shared.database.write().await?;
    find_to_change(&mut writer, who, hostname).await?;
    writer.set_dictionary(hostname, Some(text).filter(|text| !text.is_empty())).await?;
    writer.note(&deed(shared, who, "dictionary", "device", hostname, "dictionary set")).await?;
    writer.commit().await?;
    shared.needs.forget_device(hostname);
    Ok(())
}

/// Gives a device a tag, or takes it.
pub(crate) async fn set_tag(
    shared: &Arc<Shared>,
    who: &Identity,
    hostname: &str,
    tag: &str,
    has_it: bool,
) -> Result<(), Refusal> {
    let mut writer = shared.database.write().await?;
    find_to_change(&mut writer, who, hostname).await?;
    let tag = match writer.tag(tag).await? {
        Some(tag) => tag.id,
        // LAVA makes a tag that is given for the first time.
        None if has_it => writer.insert_tag(tag, None).await?,
        None => return Err(Refusal::missing("DeviceTag", tag)),
    };
    if has_it {
        writer.tag_device(hostname, tag).await?;
    } else {
        writer.untag_device(hostname, tag).await?;
    }
    writer.commit().await?;
    refresh(shared, hostname).await
}

/// Tells the scheduler what a device is now.
pub(crate) async fn refresh(shared: &Arc<Shared>, hostname: &str) -> Result<(), Refusal> {
    shared.needs.forget_device(hostname);
    let mut reader = shared.database.read().await?;
    let Some(device) = reader.device(hostname).await? else { return Ok(()) };
    let tags: BTreeSet<_> = reader.device_tags(hostname).await?.into_iter().collect();
    let access = access_of_devices(&mut reader).await?.remove(hostname).unwrap_or_default();
    drop(reader);
    shared.scheduler.tell(Event::PutDevice(device_for_scheduler(&device, tags, access))).await?;
    Ok(())
}

/// Tells the scheduler of every device: who may use them has changed.
pub(crate) async fn refresh_all(shared: &Arc<Shared>) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    let everything = pumice_db::Viewer::everything();
    let page = pumice_db::Page { limit: 1 << 31, offset: 0 };
    let mut access = access_of_devices(&mut reader).await?;
    let mut described = Vec::new();
    for device in reader.devices(&everything, &[], &[], page).await?.rows {
        let tags: BTreeSet<_> = reader.device_tags(&device.hostname).await?.into_iter().collect();
        let access = access.remove(&device.hostname).unwrap_or_default();
        described.push(device_for_scheduler(&device, tags, access));
    }
    drop(reader);
    for device in described {
        shared.scheduler.tell(Event::PutDevice(device)).await?;
    }
    Ok(())
}

/// Makes sure that a device a worker offers is there, and as the worker says; what an operator wrote is left alone. `before`
/// are the models that the worker had: tags of versions that are gone are taken off.
pub(crate) async fn offered(
    writer: &mut Writer,
    worker: &str,
    device: &OfferedDevice,
    before: &[Versioned],
) -> Result<bool, Refusal> {
    valid_name("device", &device.name)?;
    if writer.device_type(&device.device_type).await?.is_none() {
        return Ok(false);
    }
    match writer.device(&device.name).await? {
        Some(known) if !known.is_offered || known.worker.as_deref() != Some(worker) => return Ok(false),
        Some(_) => {
            let change = DeviceChange {
                device_type: Some(device.device_type.clone()),
                slots: Some(i64::from(device.slots)),
                ..DeviceChange::default()
            };
            writer.update_device(&device.name, &change).await?;
        }
        None => {
            writer
                .insert_device(&NewDevice {
                    hostname: device.name.clone(),
                    device_type: device.device_type.clone(),
                    worker: Some(worker.to_owned()),
                    health: DeviceHealth::Good,
                    description: Some(format!("offered by worker {worker}")),
                    physical_owner: None,
                    physical_group: None,
                    dictionary: None,
                    slots: i64::from(device.slots),
                    is_offered: true,
                })
                .await?;
        }
    }
    for gone in before.iter().filter_map(Versioned::tag).filter(|tag| !device.tags.contains(tag)) {
        if let Some(tag) = writer.tag(&gone).await? {
            writer.untag_device(&device.name, tag.id).await?;
        }
    }
    for tag in &device.tags {
        let key = match writer.tag(tag).await? {
            Some(tag) => tag.id,
            None => writer.insert_tag(tag, None).await?,
        };
        writer.tag_device(&device.name, key).await?;
    }
    Ok(true)
}

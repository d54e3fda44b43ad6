//! Permissions on devices and device types.

use std::sync::Arc;

use pumice_db::{Group, ObjectKind, ObjectPermission, Reader};

use super::{deed, device_types, devices};
use crate::{access::Identity, app::Shared, refusal::Refusal};

/// The permissions on one object.
pub(crate) async fn list(
    shared: &Arc<Shared>,
    who: &Identity,
    kind: ObjectKind,
    name: &str,
) -> Result<Vec<ObjectPermission>, Refusal> {
    let mut reader = shared.database.read().await?;
    find(&mut reader, who, kind, name).await?;
    Ok(reader.permissions_on(kind, name).await?)
}

/// Gives a group a permission on an object, or takes it.
pub(crate) async fn set(
    shared: &Arc<Shared>,
    who: &Identity,
    kind: ObjectKind,
    name: &str,
    group: &str,
    permission: &str,
    has_it: bool,
) -> Result<(), Refusal> {
    who.needs(match kind {
        ObjectKind::Device => "lava_scheduler_app.change_device",
        ObjectKind::DeviceType => "lava_scheduler_app.change_devicetype",
        ObjectKind::Worker => "lava_scheduler_app.change_worker",
    })?;
    let mut writer = shared.database.write().await?;
    find(&mut writer, who, kind, name).await?;
    let Group { id, .. } = writer.group(group).await?.ok_or_else(|| Refusal::missing("Group", group))?;
    if !kind.permissions().contains(&permission) {
        return Err(Refusal::Missing(format!("Invalid permission '{permission}'")));
    }
    if has_it {
        writer.grant_on(kind, name, id, permission).await?;
    } else if !writer.revoke_on(kind, name, id, permission).await? {
        return Err(Refusal::missing("Permission", permission));
    }
    let action = if has_it { "grant" } else { "revoke" };
    writer.note(&deed(shared, who, action, kind.as_str(), name, format!("{permission} for {group}"))).await?;
    writer.commit().await?;
    devices::refresh_all(shared).await
}

async fn find(reader: &mut Reader, who: &Identity, kind: ObjectKind, name: &str) -> Result<(), Refusal> {
    match kind {
        ObjectKind::Device => devices::find(reader, who, name).await.map(drop),
        ObjectKind::DeviceType => device_types::find(reader, who, name).await.map(drop),
        ObjectKind::Worker => super::workers::find(reader, name).await.map(drop),
    }
}

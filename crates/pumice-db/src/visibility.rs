//! Who looks, and which jobs and devices that person may see (lava-compat 7.1).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    DbError, ObjectKind, ObjectPermission, Reader,
    query::Where,
    row::{Param, params},
};

/// Who looks at a list. What may not be seen is left out of it and of its count.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    /// The user's key; `None` for somebody unknown.
    pub user_id: Option<i64>,
    /// Sees everything.
    pub is_superuser: bool,
    /// The keys of the user's groups.
    pub groups: BTreeSet<i64>,
    /// Device types with permissions of which the viewer has none.
    pub hidden_types: BTreeSet<String>,
    /// Devices with permissions of which the viewer has none.
    pub hidden_devices: BTreeSet<String>,
    /// Devices the viewer may see although their type is hidden.
    pub shown_devices: BTreeSet<String>,
}

impl Viewer {
    /// Somebody who sees everything: the server itself.
    pub fn everything() -> Self {
        Self { is_superuser: true, ..Self::default() }
    }

    /// Whether a device of this type may be seen. A device without permissions of its own has its type's.
    pub fn sees_device(&self, hostname: &str, device_type: &str) -> bool {
        self.is_superuser
            || !self.hidden_devices.contains(hostname)
                && (!self.hidden_types.contains(device_type) || self.shown_devices.contains(hostname))
    }

    /// Whether a device type may be seen.
    pub fn sees_type(&self, name: &str) -> bool {
        self.is_superuser || !self.hidden_types.contains(name)
    }

    /// Whether a job may be seen: as a list would show it, decided without asking the database.
    pub fn sees(&self, job: &crate::Job, viewing_groups: &[i64]) -> bool {
        if self.is_superuser || self.user_id == Some(job.submitter_id) {
            return true;
        }
        match job.visibility {
            crate::Visibility::Personal => false,
            crate::Visibility::Group => viewing_groups.iter().all(|group| self.groups.contains(group)),
            crate::Visibility::Public => {
                let kind = job.requested_device_type.as_deref().unwrap_or_default();
                match &job.actual_device {
                    Some(device) => self.sees_device(device, kind),
                    None => self.sees_type(kind),
                }
            }
        }
    }

    /// Narrows a list of devices (`d`).
    pub(crate) fn limit_devices(&self, clause: &mut Where) {
        if self.is_superuser {
            return;
        }
        none_of(clause, "d.hostname", &self.hidden_devices);
        let (shown, mut values) = listed("d.hostname", &self.shown_devices);
        let (hidden, hidden_values) = listed("d.device_type", &self.hidden_types);
        values.extend(hidden_values);
        clause.and(format!("({shown} OR NOT {hidden})"), values);
    }

    /// Narrows a list of jobs (`j`): the submitter's own; those of groups the viewer is in all of; public ones on
    /// devices, or for device types, the viewer sees.
    pub(crate) fn limit_jobs(&self, clause: &mut Where) {
        if self.is_superuser {
            return;
        }
        let (in_groups, group_values) = listed_keys("v.group_id", &self.groups);
        let (type_hidden, type_values) = listed("j.requested_device_type", &self.hidden_types);
        let (device_hidden, device_values) = listed("j.actual_device", &self.hidden_devices);
        let (device_shown, shown_values) = listed("j.actual_device", &self.shown_devices);
        let mut values = params![self.user_id.unwrap_or(-1)];
        values.extend(group_values);
        values.extend(shown_values);
        values.extend(type_values);
        values.extend(device_values);
        clause.and(
            format!(
                "(j.submitter_id = $? \
                 OR (j.visibility = 'group' AND NOT EXISTS (SELECT 1 FROM job_viewing_groups v \
                     WHERE v.job_id = j.id AND NOT {in_groups})) \
                 OR (j.visibility = 'public' AND ({device_shown} OR NOT {type_hidden}) AND NOT {device_hidden}))"
            ),
            values,
        );
    }
}

/// `column IN (…)` that is never null.
fn listed(column: &str, names: &BTreeSet<String>) -> (String, Vec<Param>) {
    if names.is_empty() {
        return ("(1 = 0)".to_owned(), params![]);
    }
    let places = vec!["$?"; names.len()].join(", ");
    (format!("(COALESCE({column}, '') IN ({places}))"), names.iter().map(Param::from).collect())
}

fn listed_keys(column: &str, keys: &BTreeSet<i64>) -> (String, Vec<Param>) {
    if keys.is_empty() {
        return ("(1 = 0)".to_owned(), params![]);
    }
    let places = vec!["$?"; keys.len()].join(", ");
    (format!("({column} IN ({places}))"), keys.iter().copied().map(Param::from).collect())
}

fn none_of(clause: &mut Where, column: &str, names: &BTreeSet<String>) {
    if !names.is_empty() {
        let (sql, values) = listed(column, names);
        clause.and(format!("NOT {sql}"), values);
    }
}

/// Objects that have permissions, and whether the viewer has one of them. Having any lets one see.
fn by_object(permissions: &[ObjectPermission], groups: &BTreeSet<i64>) -> BTreeMap<String, bool> {
    let mut objects = BTreeMap::new();
    for permission in permissions {
        *objects.entry(permission.object.clone()).or_insert(false) |= groups.contains(&permission.group_id);
    }
    objects
}

impl Reader {
    /// Finds out what a user may see; `None` for somebody unknown.
    pub async fn viewer(&mut self, user_id: Option<i64>, is_superuser: bool) -> Result<Viewer, DbError> {
        if is_superuser {
            return Ok(Viewer { user_id, ..Viewer::everything() });
        }
        let groups = match user_id {
            Some(user_id) => self.groups_of_user(user_id).await?.iter().map(|group| group.id).collect(),
            None => BTreeSet::new(),
        };
        // Only `view` makes an object private: one with `submit_to` or `change` alone is still seen by all.
        let types = self.all_permissions_on(ObjectKind::DeviceType).await?;
        let devices = self.all_permissions_on(ObjectKind::Device).await?;
        let private = |permissions: &[ObjectPermission]| -> BTreeSet<String> {
            let views = permissions.iter().filter(|permission| permission.permission.starts_with("view_"));
            views.map(|permission| permission.object.clone()).collect()
        };
        let (private_types, private_devices) = (private(&types), private(&devices));
        let (types, devices) = (by_object(&types, &groups), by_object(&devices, &groups));
        Ok(Viewer {
            user_id,
            is_superuser,
            hidden_types: private_types
                .into_iter()
                .filter(|name| !types.get(name).copied().unwrap_or(false))
                .collect(),
            hidden_devices: private_devices
                .into_iter()
                .filter(|name| !devices.get(name).copied().unwrap_or(false))
                .collect(),
            shown_devices: devices.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect(),
            groups,
        })
    }
}

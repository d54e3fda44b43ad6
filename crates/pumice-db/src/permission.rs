//! Who may do what: on everything of a kind, and on one object (lava-compat 7.1).

use crate::{
    DbError, Reader, Writer,
    row::{Row, params},
};

/// A permission on everything of a kind, for example `lava_scheduler_app`, `device`, `change_device`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalPermission {
    /// LAVA's application.
    pub app: String,
    /// The kind of object.
    pub model: String,
    /// What may be done.
    pub codename: String,
}

/// What an object permission is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A device.
    Device,
    /// A device type, and so every device of it that has no permissions of its own.
    DeviceType,
    /// A worker.
    Worker,
}

impl ObjectKind {
    /// The word in permissions, for example in `view_devicetype`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::DeviceType => "devicetype",
            Self::Worker => "worker",
        }
    }

    /// The permissions there are, weakest first; each implies those before it.
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::Device => &["view_device", "submit_to_device", "change_device"],
            Self::DeviceType => &["view_devicetype", "submit_to_devicetype", "change_devicetype"],
            Self::Worker => &["view_worker", "change_worker"],
        }
    }
}

/// A group's permission on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPermission {
    /// The key.
    pub id: i64,
    /// The object's name.
    pub object: String,
    /// The group's key.
    pub group_id: i64,
    /// The group's name.
    pub group: String,
    /// What it may do.
    pub permission: String,
}

fn global(row: &Row) -> Result<GlobalPermission, DbError> {
    Ok(GlobalPermission { app: row.text("app")?, model: row.text("model")?, codename: row.text("codename")? })
}

fn object(row: &Row) -> Result<ObjectPermission, DbError> {
    Ok(ObjectPermission {
        id: row.int("id")?,
        object: row.text("object")?,
        group_id: row.int("group_id")?,
        group: row.text("group_name")?,
        permission: row.text("permission")?,
    })
}

const OBJECT_COLUMNS: &str = "p.id, p.object, p.group_id, g.name AS group_name, p.permission \
                              FROM object_permissions p JOIN groups g ON g.id = p.group_id";

impl Reader {
    /// What was given to the user itself.
    pub async fn permissions_of_user(&mut self, user_id: i64) -> Result<Vec<GlobalPermission>, DbError> {
        let sql = "SELECT app, model, codename FROM user_permissions WHERE user_id = $1 ORDER BY app, model, codename";
        self.rows(sql, params![user_id]).await?.iter().map(global).collect()
    }

    /// What was given to a group.
    pub async fn permissions_of_group(&mut self, group_id: i64) -> Result<Vec<GlobalPermission>, DbError> {
        let sql = "SELECT app, model, codename FROM group_permissions WHERE group_id = $1 ORDER BY app, model, codename";
        self.rows(sql, params![group_id]).await?.iter().map(global).collect()
    }

    /// What a user may, by itself or through a group.
    pub async fn effective_permissions(&mut self, user_id: i64) -> Result<Vec<GlobalPermission>, DbError> {
        let sql = "SELECT app, model, codename FROM user_permissions WHERE user_id = $1 \
                   UNION SELECT p.app, p.model, p.codename FROM group_permissions p \
                   JOIN group_members m ON m.group_id = p.group_id WHERE m.user_id = $1";
        self.rows(sql, params![user_id]).await?.iter().map(global).collect()
    }

    /// The permissions on one object.
    pub async fn permissions_on(
        &mut self,
        kind: ObjectKind,
        name: &str,
    ) -> Result<Vec<ObjectPermission>, DbError> {
        let sql = format!("SELECT {OBJECT_COLUMNS} WHERE p.kind = $1 AND p.object = $2 ORDER BY p.id");
        self.rows(sql, params![kind.as_str(), name]).await?.iter().map(object).collect()
    }

    /// The permissions on all objects of a kind.
    pub async fn all_permissions_on(&mut self, kind: ObjectKind) -> Result<Vec<ObjectPermission>, DbError> {
        let sql = format!("SELECT {OBJECT_COLUMNS} WHERE p.kind = $1 ORDER BY p.id");
        self.rows(sql, params![kind.as_str()]).await?.iter().map(object).collect()
    }
}

impl Writer {
    /// Gives a user a permission; no harm when it has it.
    pub async fn grant_user(&mut self, user_id: i64, permission: &GlobalPermission) -> Result<(), DbError> {
        let sql = "INSERT INTO user_permissions (user_id, app, model, codename) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        self.execute(sql, params![user_id, &permission.app, &permission.model, &permission.codename]).await?;
        Ok(())
    }

    /// Takes a permission from a user; `false` when it had none.
    pub async fn revoke_user(
        &mut self,
        user_id: i64,
        permission: &GlobalPermission,
    ) -> Result<bool, DbError> {
        let sql =
            "DELETE FROM user_permissions WHERE user_id = $1 AND app = $2 AND model = $3 AND codename = $4";
        let values = params![user_id, &permission.app, &permission.model, &permission.codename];
        Ok(self.execute(sql, values).await? > 0)
    }

    /// Gives a group a permission; no harm when it has it.
    pub async fn grant_group(&mut self, group_id: i64, permission: &GlobalPermission) -> Result<(), DbError> {
        let sql = "INSERT INTO group_permissions (group_id, app, model, codename) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        self.execute(sql, params![group_id, &permission.app, &permission.model, &permission.codename])
            .await?;
        Ok(())
    }

    /// Takes a permission from a group; `false` when it had none.
    pub async fn revoke_group(
        &mut self,
        group_id: i64,
        permission: &GlobalPermission,
    ) -> Result<bool, DbError> {
        let sql =
            "DELETE FROM group_permissions WHERE group_id = $1 AND app = $2 AND model = $3 AND codename = $4";
        let values = params![group_id, &permission.app, &permission.model, &permission.codename];
        Ok(self.execute(sql, values).await? > 0)
    }

    /// Gives a group a permission on one object and answers the key; no harm when it has it.
    pub async fn grant_on(
        &mut self,
        kind: ObjectKind,
        name: &str,
        group_id: i64,
        permission: &str,
    ) -> Result<i64, DbError> {
        self.insert(
            "INSERT INTO object_permissions (kind, object, group_id, permission) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (kind, object, group_id, permission) DO UPDATE SET permission = excluded.permission \
             RETURNING id",
            params![kind.as_str(), name, group_id, permission],
        )
        .await
    }

    /// Takes a permission on one object from a group; `false` when it had none.
    pub async fn revoke_on(
        &mut self,
        kind: ObjectKind,
        name: &str,
        group_id: i64,
        permission: &str,
    ) -> Result<bool, DbError> {
        let sql = "DELETE FROM object_permissions WHERE kind = $1 AND object = $2 AND group_id = $3 AND permission = $4";
        Ok(self.execute(sql, params![kind.as_str(), name, group_id, permission]).await? > 0)
    }

    /// Removes every permission on an object that goes away.
    pub(crate) async fn forget_permissions(&mut self, kind: ObjectKind, name: &str) -> Result<(), DbError> {
        let sql = "DELETE FROM object_permissions WHERE kind = $1 AND object = $2";
        self.execute(sql, params![kind.as_str(), name]).await?;
        Ok(())
    }
}

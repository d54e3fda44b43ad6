//! `auth.*`: users, groups and their permissions.

use pumice_db::{DbError, GlobalPermission, Group, NewUser, Reader, User, UserChange};

use super::{
    super::{Answer, Arguments, Call, Value},
    devices::ALL,
};
use crate::{
    lab::{deed, devices::refresh_all, valid_name},
    refusal::Refusal,
};

/// LAVA's applications and the kinds of object permissions can be on.
const MODELS: [(&str, &str); 12] = [
    ("lava_scheduler_app", "alias"),
    ("lava_scheduler_app", "device"),
    ("lava_scheduler_app", "devicetype"),
    ("lava_scheduler_app", "tag"),
    ("lava_scheduler_app", "testjob"),
    ("lava_scheduler_app", "worker"),
    ("lava_scheduler_app", "remoteartifactsauth"),
    ("lava_results_app", "query"),
    ("auth", "user"),
    ("auth", "group"),
    ("auth", "permission"),
    ("authtoken", "token"),
];

/// What may be done to any of them, and to some.
fn is_permission(permission: &GlobalPermission) -> bool {
    let GlobalPermission { app, model, codename } = permission;
    let action = codename.strip_suffix(model.as_str()).and_then(|rest| rest.strip_suffix('_'));
    MODELS.contains(&(app.as_str(), model.as_str()))
        && (matches!(action, Some("add" | "change" | "delete" | "view" | "submit_to" | "submit"))
            || codename == "cancel_resubmit_testjob")
}

fn permission(arguments: &Arguments) -> Result<GlobalPermission, Refusal> {
    let permission =
        GlobalPermission { app: arguments.text(1)?, model: arguments.text(2)?, codename: arguments.text(3)? };
    if is_permission(&permission) {
        return Ok(permission);
    }
    Err(Refusal::Missing(format!("Invalid permission '{}'", permission.codename)))
}

fn listed(permissions: &[GlobalPermission]) -> Value {
    let one = |p: &GlobalPermission| {
        Value::members([
            ("app", (&p.app).into()),
            ("model", (&p.model).into()),
            ("codename", (&p.codename).into()),
        ])
    };
    permissions.iter().map(one).collect()
}

fn names(permissions: &[GlobalPermission]) -> Value {
    permissions.iter().map(|p| Value::from(format!("{}.{}.{}", p.app, p.model, p.codename))).collect()
}

async fn user(reader: &mut Reader, name: &str) -> Result<User, Refusal> {
    reader.user(name).await?.ok_or_else(|| Refusal::missing("User", name))
}

async fn group(reader: &mut Reader, name: &str) -> Result<Group, Refusal> {
    reader.group(name).await?.ok_or_else(|| Refusal::missing("Group", name))
}

pub(in super::super) async fn user_add(call: Call) -> Answer {
    call.who.needs("auth.add_user")?;
    let arguments = &call.arguments;
    let new = NewUser {
        username: arguments.text(0)?,
        first_name: arguments.maybe_text(1)?.unwrap_or_default(),
        last_name: arguments.maybe_text(2)?.unwrap_or_default(),
        email: arguments.maybe_text(3)?.unwrap_or_default(),
        is_active: arguments.maybe_flag(4)?.unwrap_or(true),
        is_staff: arguments.flag(5)?,
        is_superuser: arguments.flag(6)?,
    };
    valid_name("user", &new.username)?;
    let mut writer = call.shared.database.write().await?;
    writer.insert_user(&new, call.shared.clock.now()).await.map_err(|error| match error {
        DbError::AlreadyExists => Refusal::Invalid("Bad request: user already exists?".to_owned()),
        other => other.into(),
    })?;
    writer.note(&deed(&call.shared, &call.who, "add", "user", &new.username, "added")).await?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn user_update(call: Call) -> Answer {
    call.who.needs("auth.change_user")?;
    let arguments = &call.arguments;
    let change = UserChange {
        first_name: arguments.maybe_text(1)?,
        last_name: arguments.maybe_text(2)?,
        email: arguments.maybe_text(3)?,
        is_active: arguments.maybe_flag(4)?,
        is_staff: arguments.maybe_flag(5)?,
        is_superuser: arguments.maybe_flag(6)?,
    };
    let name = arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    user(&mut writer, &name).await?;
    writer.update_user(&name, &change).await?;
    writer.note(&deed(&call.shared, &call.who, "change", "user", &name, "changed")).await?;
    writer.commit().await?;
    refresh_all(&call.shared).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn user_delete(call: Call) -> Answer {
    call.who.needs("auth.delete_user")?;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    user(&mut writer, &name).await?;
    writer.delete_user(&name).await.map_err(|error| match error {
        DbError::StillReferenced => {
            Refusal::Invalid(format!("User '{name}' has submitted jobs: make it inactive instead."))
        }
        other => other.into(),
    })?;
    writer.note(&deed(&call.shared, &call.who, "delete", "user", &name, "removed")).await?;
    writer.commit().await?;
    refresh_all(&call.shared).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn user_list(call: Call) -> Answer {
    call.who.needs("auth.view_user")?;
    let users = call.shared.database.read().await?.users(&[], &[], ALL).await?.rows;
    Ok(users
        .into_iter()
        .map(|user| {
            Value::members([
                ("username", user.username.into()),
                ("first_name", user.first_name.into()),
                ("last_name", user.last_name.into()),
                ("is_superuser", Value::Bool(user.is_superuser)),
                ("is_staff", Value::Bool(user.is_staff)),
                ("is_active", Value::Bool(user.is_active)),
            ])
        })
        .collect())
}

pub(in super::super) async fn user_show(call: Call) -> Answer {
    call.who.needs("auth.view_user")?;
    let name = call.arguments.text(0)?;
    let mut reader = call.shared.database.read().await?;
    let user = user(&mut reader, &name).await?;
    let groups: Vec<_> = reader.groups_of_user(user.id).await?.into_iter().map(|group| group.name).collect();
    let permissions = reader.permissions_of_user(user.id).await?;
    Ok(Value::members([
        ("id", Value::Int(user.id)),
        ("username", user.username.into()),
        ("first_name", user.first_name.into()),
        ("last_name", user.last_name.into()),
        ("email", user.email.into()),
        ("is_active", Value::Bool(user.is_active)),
        ("is_staff", Value::Bool(user.is_staff)),
        ("is_superuser", Value::Bool(user.is_superuser)),
        ("date_joined", user.date_joined.into()),
        ("last_login", user.last_login.into()),
        ("groups", groups.into()),
        ("permissions", names(&permissions)),
    ]))
}

async fn set_membership(call: Call, is_member: bool) -> Answer {
    call.who.needs("auth.change_user")?;
    let (user_name, group_name) = (call.arguments.text(0)?, call.arguments.text(1)?);
    let mut writer = call.shared.database.write().await?;
    let user = user(&mut writer, &user_name).await?;
    let group = group(&mut writer, &group_name).await?;
    if is_member {
        writer.join_group(user.id, group.id).await?;
    } else {
        writer.leave_group(user.id, group.id).await?;
    }
    let action = if is_member { "join" } else { "leave" };
    writer.note(&deed(&call.shared, &call.who, action, "user", &user_name, &group_name)).await?;
    writer.commit().await?;
    refresh_all(&call.shared).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn user_group_add(call: Call) -> Answer {
    set_membership(call, true).await
}

pub(in super::super) async fn user_group_delete(call: Call) -> Answer {
    set_membership(call, false).await
}

pub(in super::super) async fn user_group_list(call: Call) -> Answer {
    call.who.needs("auth.view_user")?;
    let mut reader = call.shared.database.read().await?;
    let user = user(&mut reader, &call.arguments.text(0)?).await?;
    let groups = reader.groups_of_user(user.id).await?;
    Ok(groups.into_iter().map(|group| Value::from(group.name)).collect())
}

async fn set_user_permission(call: Call, has_it: bool) -> Answer {
    call.who.needs("auth.change_user")?;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    let user = user(&mut writer, &name).await?;
    let permission = permission(&call.arguments)?;
    if has_it {
        writer.grant_user(user.id, &permission).await?;
    } else {
        writer.revoke_user(user.id, &permission).await?;
    }
    let action = if has_it { "grant" } else { "revoke" };
    writer.note(&deed(&call.shared, &call.who, action, "user", &name, &permission.codename)).await?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn user_perm_add(call: Call) -> Answer {
    set_user_permission(call, true).await
}

pub(in super::super) async fn user_perm_delete(call: Call) -> Answer {
    set_user_permission(call, false).await
}

pub(in super::super) async fn user_perm_list(call: Call) -> Answer {
    call.who.needs("auth.view_user")?;
    let mut reader = call.shared.database.read().await?;
    let user = user(&mut reader, &call.arguments.text(0)?).await?;
    Ok(listed(&reader.permissions_of_user(user.id).await?))
}

pub(in super::super) async fn group_add(call: Call) -> Answer {
    call.who.needs("auth.add_group")?;
    let name = call.arguments.text(0)?;
    valid_name("group", &name)?;
    let mut writer = call.shared.database.write().await?;
    writer.insert_group(&name).await.map_err(|error| match error {
        DbError::AlreadyExists => Refusal::Invalid("Bad request: group already exists?".to_owned()),
        other => other.into(),
    })?;
    writer.note(&deed(&call.shared, &call.who, "add", "group", &name, "added")).await?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn group_delete(call: Call) -> Answer {
    call.who.needs("auth.delete_group")?;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    if !writer.delete_group(&name).await? {
        return Err(Refusal::missing("Group", name).into());
    }
    writer.note(&deed(&call.shared, &call.who, "delete", "group", &name, "removed")).await?;
    writer.commit().await?;
    refresh_all(&call.shared).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn group_list(call: Call) -> Answer {
    call.who.needs("auth.view_group")?;
    let groups = call.shared.database.read().await?.groups(&[]).await?;
    Ok(groups.into_iter().map(|group| Value::from(group.name)).collect())
}

pub(in super::super) async fn group_show(call: Call) -> Answer {
    call.who.needs("auth.view_group")?;
    let mut reader = call.shared.database.read().await?;
    let group = group(&mut reader, &call.arguments.text(0)?).await?;
    let users = reader.members(group.id).await?;
    let permissions = reader.permissions_of_group(group.id).await?;
    Ok(Value::members([
        ("id", Value::Int(group.id)),
        ("name", group.name.into()),
        ("users", users.into()),
        ("permissions", names(&permissions)),
    ]))
}

async fn set_group_permission(call: Call, has_it: bool) -> Answer {
    call.who.needs("auth.change_group")?;
    let name = call.arguments.text(0)?;
    let mut writer = call.shared.database.write().await?;
    let group = group(&mut writer, &name).await?;
    let permission = permission(&call.arguments)?;
    if has_it {
        writer.grant_group(group.id, &permission).await?;
    } else {
        writer.revoke_group(group.id, &permission).await?;
    }
    let action = if has_it { "grant" } else { "revoke" };
    writer.note(&deed(&call.shared, &call.who, action, "group", &name, &permission.codename)).await?;
    writer.commit().await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn group_perm_add(call: Call) -> Answer {
    set_group_permission(call, true).await
}

pub(in super::super) async fn group_perm_delete(call: Call) -> Answer {
    set_group_permission(call, false).await
}

pub(in super::super) async fn group_perm_list(call: Call) -> Answer {
    call.who.needs("auth.view_group")?;
    let mut reader = call.shared.database.read().await?;
    let group = group(&mut reader, &call.arguments.text(0)?).await?;
    Ok(listed(&reader.permissions_of_group(group.id).await?))
}

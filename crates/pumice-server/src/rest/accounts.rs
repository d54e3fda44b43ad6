//! Users and groups.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use pumice_db::{Condition, Group, NewUser, Order, User, UserChange};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Refused, Who},
    list::ListQuery,
    seen::Key,
};
use crate::{
    access::hash_password,
    app::Shared,
    lab::{deed, devices::refresh_all, valid_name},
    refusal::Refusal,
};

fn user_shown(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_superuser": user.is_superuser,
        "is_staff": user.is_staff,
        "is_active": user.is_active,
        "date_joined": user.date_joined.rest(),
        "last_login": user.last_login.map(pumice_db::Timestamp::rest),
    })
}

async fn find_user(shared: &Shared, id: i64) -> Result<User, Refused> {
    let user = shared.database.read().await?.user_by_id(id).await?;
    user.ok_or_else(|| Refusal::missing("User", id).into())
}

pub(super) async fn users(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    who.needs("auth.view_user")?;
    let conditions = query.conditions(Condition::on_users)?;
    let orders = query.orders(Order::of_users);
    let listing = shared.database.read().await?.users(&conditions, &orders, query.page()).await?;
    query.answer(&listing, user_shown)
}

pub(super) async fn user(State(shared): State<Arc<Shared>>, who: Who, Key(id): Key) -> Answer {
    who.needs("auth.view_user")?;
    Ok(Json(user_shown(&find_user(&shared, id).await?)))
}

#[derive(Deserialize)]
pub(super) struct UserBody {
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    is_superuser: Option<bool>,
    is_staff: Option<bool>,
    is_active: Option<bool>,
    password: Option<String>,
}

/// The shortest password.
const PASSWORD_LETTERS: usize = 10;

async fn set_password(shared: &Shared, id: i64, password: Option<String>) -> Result<(), Refused> {
    let Some(password) = password else { return Ok(()) };
    if password.chars().count() < PASSWORD_LETTERS {
        return Err(Refusal::Invalid(format!("a password has at least {PASSWORD_LETTERS} letters")).into());
    }
    let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    let hash = hash.map_err(|error| Refusal::Internal(error.to_string()))?;
    let hash = hash.ok_or_else(|| Refusal::Internal("no randomness for a salt".to_owned()))?;
    let mut writer = shared.database.write().await?;
    writer.set_password_hash(id, Some(&hash)).await?;
    writer.commit().await?;
    Ok(())
}

pub(super) async fn add_user(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<UserBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    who.needs("auth.add_user")?;
    let username = body.username.ok_or_else(|| Refusal::Invalid("`username` is missing".to_owned()))?;
    valid_name("user", &username)?;
    let new = NewUser {
        username: username.clone(),
        first_name: body.first_name.unwrap_or_default(),
        last_name: body.last_name.unwrap_or_default(),
        email: body.email.unwrap_or_default(),
        is_active: body.is_active.unwrap_or(true),
        is_staff: body.is_staff.unwrap_or(false),
        is_superuser: body.is_superuser.unwrap_or(false),
    };
    let mut writer = shared.database.write().await?;
    let id = writer.insert_user(&new, shared.clock.now()).await?;
    writer.note(&deed(&shared, &who, "add", "user", &username, "added")).await?;
    writer.commit().await?;
    set_password(&shared, id, body.password).await?;
    Ok((StatusCode::CREATED, Json(user_shown(&find_user(&shared, id).await?))))
}

pub(super) async fn change_user(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
    Body(body): Body<UserBody>,
) -> Answer {
    who.needs("auth.change_user")?;
    let known = find_user(&shared, id).await?;
    let change = UserChange {
        first_name: body.first_name,
        last_name: body.last_name,
        email: body.email,
        is_active: body.is_active,
        is_staff: body.is_staff,
        is_superuser: body.is_superuser,
    };
    let mut writer = shared.database.write().await?;
    writer.update_user(&known.username, &change).await?;
    writer.note(&deed(&shared, &who, "change", "user", &known.username, "changed")).await?;
    writer.commit().await?;
    set_password(&shared, id, body.password).await?;
    refresh_all(&shared).await?;
    Ok(Json(user_shown(&find_user(&shared, id).await?)))
}

pub(super) async fn delete_user(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
) -> Answer<StatusCode> {
    who.needs("auth.delete_user")?;
    let known = find_user(&shared, id).await?;
    let mut writer = shared.database.write().await?;
    writer.delete_user(&known.username).await?;
    writer.note(&deed(&shared, &who, "delete", "user", &known.username, "removed")).await?;
    writer.commit().await?;
    refresh_all(&shared).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn group_shown(group: &Group) -> Value {
    json!({"id": group.id, "name": group.name})
}

async fn find_group(shared: &Shared, id: i64) -> Result<Group, Refused> {
    let group = shared.database.read().await?.group_by_id(id).await?;
    group.ok_or_else(|| Refusal::missing("Group", id).into())
}

pub(super) async fn groups(State(shared): State<Arc<Shared>>, who: Who, query: ListQuery) -> Answer {
    who.needs("auth.view_group")?;
    let conditions = query.conditions(Condition::on_groups)?;
    let all = shared.database.read().await?.groups(&conditions).await?;
    query.answer(&query.cut(all), group_shown)
}

pub(super) async fn group(State(shared): State<Arc<Shared>>, who: Who, Key(id): Key) -> Answer {
    who.needs("auth.view_group")?;
    Ok(Json(group_shown(&find_group(&shared, id).await?)))
}

#[derive(Deserialize)]
pub(super) struct GroupBody {
    name: String,
}

pub(super) async fn add_group(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Body(body): Body<GroupBody>,
) -> Answer<(StatusCode, Json<Value>)> {
    who.needs("auth.add_group")?;
    valid_name("group", &body.name)?;
    let mut writer = shared.database.write().await?;
    let id = writer.insert_group(&body.name).await?;
    writer.note(&deed(&shared, &who, "add", "group", &body.name, "added")).await?;
    writer.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "name": body.name}))))
}

pub(super) async fn rename_group(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
    Body(body): Body<GroupBody>,
) -> Answer {
    who.needs("auth.change_group")?;
    valid_name("group", &body.name)?;
    find_group(&shared, id).await?;
    let mut writer = shared.database.write().await?;
    writer.rename_group(id, &body.name).await?;
    writer.commit().await?;
    Ok(Json(json!({"id": id, "name": body.name})))
}

pub(super) async fn delete_group(
    State(shared): State<Arc<Shared>>,
    who: Who,
    Key(id): Key,
) -> Answer<StatusCode> {
    who.needs("auth.delete_group")?;
    let known = find_group(&shared, id).await?;
    let mut writer = shared.database.write().await?;
    writer.delete_group(&known.name).await?;
    writer.note(&deed(&shared, &who, "delete", "group", &known.name, "removed")).await?;
    writer.commit().await?;
    refresh_all(&shared).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! API tokens: for a name and a password, or a further one for somebody who has one.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use pumice_db::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Body, Who},
    seen::Key,
};
use crate::{
    access::{Scope, Scopes, verify_password},
    app::Shared,
    lab::deed,
    refusal::Refusal,
    secrets,
};

#[derive(Deserialize)]
pub(super) struct TokenBody {
    username: Option<String>,
    password: Option<String>,
    description: Option<String>,
    /// `read`, `submit`, `manage`, with spaces between; none for all.
    scopes: Option<String>,
    expires_in_days: Option<u32>,
}

/// A password's hash for names that nobody has, so that a wrong name takes as long as a wrong password.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The user of this name, if the password is right.
pub(crate) async fn check_password(
    shared: &Shared,
    username: &str,
    password: String,
) -> Result<pumice_db::User, Refusal> {
    let user = shared.database.read().await?.user(username).await?.filter(|user| user.is_active);
    let hash =
        user.as_ref().and_then(|user| user.password_hash.clone()).unwrap_or_else(|| NOBODYS.to_owned());
    let fits = tokio::task::spawn_blocking(move || verify_password(&password, &hash)).await;
    let fits = fits.map_err(|error| Refusal::Internal(error.to_string()))?;
    user.filter(|_| fits)
        .ok_or_else(|| Refusal::Invalid("Unable to log in with provided credentials.".to_owned()))
}

/// Makes a token for a user: its key and its secret. It may be used for no more than `own` allows.
pub(crate) async fn make(
    shared: &Shared,
    user_id: i64,
    own: &Scopes,
    description: &str,
    scopes: &str,
    lasts: Option<Duration>,
) -> Result<(i64, String), Refusal> {
    let asked = Scopes::parse(scopes).ok_or_else(|| {
        let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        Refusal::Invalid(format!("scopes are words of: {}", known.join(", ")))
    })?;
    if !own.cover(&asked) {
        return Err(Refusal::Forbidden("A token cannot make one that may do more than itself.".to_owned()));
    }
    let token = secrets::new_token()?;
    let now = shared.clock.now();
    let expires = lasts.map(|lasts| now.after(lasts));
    let mut writer = shared.database.write().await?;
    let id = writer.insert_token(user_id, &secrets::hash(&token), description, scopes, now, expires).await?;
    writer.commit().await?;
    Ok((id, token))
}

pub(super) async fn give(State(shared): State<Arc<Shared>>, who: Who, Body(body): Body<TokenBody>) -> Answer {
    let (user, own) = match (&body.username, body.password) {
        (Some(username), Some(password)) => {
            (check_password(&shared, username, password).await?, Scopes::default())
        }
        _ => (who.using(Scope::Manage)?.clone(), who.scopes().clone()),
    };
    let description = body.description.unwrap_or_else(|| "from the API".to_owned());
    let scopes = body.scopes.unwrap_or_default();
    let lasts = body.expires_in_days.map(|days| Duration::from_secs(24 * 3600) * days);
    let (_, token) = make(&shared, user.id, &own, &description, &scopes, lasts).await?;
    let mut writer = shared.database.write().await?;
    writer.note(&deed(&shared, &who, "token", "user", &user.username, "a token was made")).await?;
    writer.commit().await?;
    Ok(Json(json!({"token": token})))
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, who: Who) -> Answer {
    let user = who.logged_in()?.id;
    let tokens = shared.database.read().await?.tokens_of_user(user).await?;
    let one = |token: &pumice_db::Token| -> Value {
        json!({
            "id": token.id, "description": token.description, "scopes": token.scopes,
            "created": token.created.rest(), "last_used": token.last_used.map(Timestamp::rest),
            "expires": token.expires.map(Timestamp::rest),
        })
    };
    Ok(Json(tokens.iter().map(one).collect()))
}

pub(super) async fn remove(State(shared): State<Arc<Shared>>, who: Who, Key(id): Key) -> Answer<StatusCode> {
    let user = who.using(Scope::Manage)?.id;
    let mut writer = shared.database.write().await?;
    if !writer.delete_token(user, id).await? {
        return Err(Refusal::missing("Token", id).into());
    }
    writer.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

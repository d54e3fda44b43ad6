//! Logging in and out, and one's tokens.

use std::time::Duration;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use pumice_db::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{Answer, Page};
use crate::{
    access::{Credentials, SESSION_COOKIE, Scope, cookie},
    app::Shared,
    refusal::Refusal,
    rest::{check_password, make_token},
    secrets,
};

/// How long a log-in lasts.
const SESSION_LASTS: Duration = Duration::from_secs(14 * 24 * 3600);

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

/// Where to go after logging in: only to a page of ours.
fn destination(next: Option<&str>) -> &str {
    // Browsers drop tabs and line ends from an address and take `\` for `/`: `/\t/elsewhere` would be another host.
    let is_plain = |next: &&str| !next.contains(|c: char| c.is_control() || c == '\\');
    next.filter(|next| next.starts_with('/') && !next.starts_with("//")).filter(is_plain).unwrap_or("/")
}

pub(super) async fn form(page: Page, Query(query): Query<Next>) -> Answer {
    let next = destination(query.next.as_deref()).to_owned();
    page.show("login.html", "", "Log in", json!({ "next": next }))
}

#[derive(Deserialize)]
pub(super) struct Login {
    username: String,
    password: String,
    next: Option<String>,
}

/// The user, by password or by token.
async fn authenticate(shared: &Shared, username: &str, secret: String) -> Result<pumice_db::User, Refusal> {
    let credentials = Credentials::UserToken { username: username.to_owned(), token: secret.clone() };
    if let Ok(who) = credentials.identify(&shared.database, shared.clock).await
        && let Some(user) = who.user
    {
        return Ok(user);
    }
    check_password(shared, username, secret).await
}

pub(super) async fn login(
    State(shared): State<std::sync::Arc<Shared>>,
    page: Page,
    Form(form): Form<Login>,
) -> Answer {
    let user = match authenticate(&shared, &form.username, form.password).await {
        Ok(user) => user,
        Err(Refusal::Invalid(_)) => {
            let values = json!({ "error": "That name and that password or token do not go together.", "next": form.next });
            let mut response = page.show("login.html", "", "Log in", values)?;
            *response.status_mut() = axum::http::StatusCode::UNAUTHORIZED;
            return Ok(response);
        }
        Err(refusal) => return Err(page.refuse(refusal)),
    };
    let session = secrets::new_token()?;
    let now = shared.clock.now();
    let mut writer = shared.database.write().await?;
    writer.insert_web_session(&secrets::hash(&session), user.id, now, now.after(SESSION_LASTS)).await?;
    writer.set_last_login(user.id, now).await?;
    writer.commit().await?;
    let next = destination(form.next.as_deref());
    Ok(with_cookie(&shared, &session, SESSION_LASTS.as_secs(), Redirect::to(next).into_response()))
}

fn with_cookie(shared: &Shared, session: &str, seconds: u64, mut response: Response) -> Response {
    let secure = if shared.config.secure_cookies { "; Secure" } else { "" };
    let value =
        format!("{SESSION_COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

#[derive(Deserialize)]
pub(super) struct Plain {
    #[serde(default)]
    csrf: String,
}

pub(super) async fn logout(page: Page, headers: HeaderMap, Form(form): Form<Plain>) -> Answer {
    if let Err(refusal) = page.check_csrf(&form.csrf) {
        return Err(page.refuse(refusal));
    }
    if let Some(session) = cookie(&headers, SESSION_COOKIE) {
        let mut writer = page.shared.database.write().await?;
        writer.delete_web_session(&secrets::hash(&session)).await?;
        writer.commit().await?;
    }
    Ok(with_cookie(&page.shared, "", 0, Redirect::to("/").into_response()))
}

async fn me_with(page: Page, secret: Option<String>) -> Answer {
    let Some(user) = &page.who.user else { return Ok(Redirect::to("/login?next=/me/").into_response()) };
    let tokens = page.shared.database.read().await?.tokens_of_user(user.id).await?;
    let token = |token: &pumice_db::Token| -> Value {
        json!({ "id": token.id, "description": token.description, "scopes": token.scopes, "created": token.created.rest(), "last_used": token.last_used.map(Timestamp::rest), "expires": token.expires.map(Timestamp::rest) })
    };
    let values = json!({ "groups": page.who.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), "tokens": tokens.iter().map(token).collect::<Vec<_>>(), "secret": secret });
    page.show("me.html", "", "You", values)
}

pub(super) async fn me(page: Page) -> Answer {
    me_with(page, None).await
}

#[derive(Deserialize)]
pub(super) struct NewToken {
    #[serde(default)]
    csrf: String,
    description: String,
    #[serde(default)]
    scopes: String,
    #[serde(default)]
    days: String,
}

pub(super) async fn make(page: Page, Form(form): Form<NewToken>) -> Answer {
    let made = async {
        page.check_csrf(&form.csrf)?;
        let user = page.who.using(Scope::Manage)?.id;
        let days = form.days.parse::<u32>().ok();
        let lasts = days.map(|days| Duration::from_secs(24 * 3600) * days);
        make_token(&page.shared, user, page.who.scopes(), &form.description, &form.scopes, lasts).await
    };
    match made.await {
        Ok((_, secret)) => me_with(page, Some(secret)).await,
        Err(refusal) => Err(page.refuse(refusal)),
    }
}

pub(super) async fn end(page: Page, Path(id): Path<i64>, Form(form): Form<Plain>) -> Answer {
    let ended = async {
        page.check_csrf(&form.csrf)?;
        let user = page.who.using(Scope::Manage)?.id;
        let mut writer = page.shared.database.write().await?;
        writer.delete_token(user, id).await?;
        writer.commit().await?;
        Ok::<_, Refusal>(())
    };
    let ended = ended.await;
    ended.map(|()| Redirect::to("/me/").into_response()).map_err(|refusal| page.refuse(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_in_leads_to_a_page_of_ours_only() {
        let led: Vec<_> = [Some("/me/"), Some("//evil"), Some("https://evil"), Some("/\\evil"), None]
            .map(destination)
            .into();
        assert_eq!(led, ["/me/", "/", "/", "/", "/"]);
    }
}

//! Logging in and out, and one's tokens.

use std::time::Duration;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use pumice_db::{Timestamp, Token};
use serde::{Deserialize, Serialize};

use super::{
    context::views,
    page::{Answer, Page},
};
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

/// What `login.html` sees.
#[derive(Serialize)]
struct LoginView {
    /// Where to go then.
    next: Option<String>,
    error: Option<&'static str>,
}

pub(super) async fn form(page: Page, Query(query): Query<Next>) -> Answer {
    let next = destination(query.next.as_deref()).to_owned();
    page.show("login.html", "", "Log in", LoginView { next: Some(next), error: None })
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
            let error = Some("That name and that password or token do not go together.");
            let values = LoginView { next: form.next, error };
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
    page.or_refuse(page.check_csrf(&form.csrf))?;
    if let Some(session) = cookie(&headers, SESSION_COOKIE) {
        let mut writer = page.shared.database.write().await?;
        writer.delete_web_session(&secrets::hash(&session)).await?;
        writer.commit().await?;
    }
    Ok(with_cookie(&page.shared, "", 0, Redirect::to("/").into_response()))
}

/// A token, without its secret.
#[derive(Serialize)]
struct TokenView {
    id: i64,
    description: String,
    scopes: String,
    created: String,
    last_used: Option<String>,
    expires: Option<String>,
}

impl From<&Token> for TokenView {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id,
            description: token.description.clone(),
            scopes: token.scopes.clone(),
            created: token.created.rest(),
            last_used: token.last_used.map(Timestamp::rest),
            expires: token.expires.map(Timestamp::rest),
        }
    }
}

/// What `me.html` sees.
#[derive(Serialize)]
struct MeView {
    groups: Vec<String>,
    tokens: Vec<TokenView>,
    /// The token that was just made: it is shown this once.
    secret: Option<String>,
}

async fn me_with(page: Page, secret: Option<String>) -> Answer {
    let Some(user) = &page.who.user else { return Ok(Redirect::to("/login?next=/me/").into_response()) };
    let tokens = page.shared.database.read().await?.tokens_of_user(user.id).await?;
    let groups = page.who.groups.iter().map(|group| group.name.clone()).collect();
    let values = MeView { groups, tokens: views(&tokens), secret };
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
    page.or_refuse(page.check_csrf(&form.csrf))?;
    let user = page.or_refuse(page.who.using(Scope::Manage))?.id;
    let lasts = form.days.parse::<u32>().ok().map(|days| Duration::from_secs(24 * 3600) * days);
    let own = page.who.scopes();
    let made = make_token(&page.shared, user, own, &form.description, &form.scopes, lasts).await;
    let (_, secret) = page.or_refuse(made)?;
    me_with(page, Some(secret)).await
}

pub(super) async fn end(page: Page, Path(id): Path<i64>, Form(form): Form<Plain>) -> Answer {
    page.or_refuse(page.check_csrf(&form.csrf))?;
    let user = page.or_refuse(page.who.using(Scope::Manage))?.id;
    let mut writer = page.shared.database.write().await?;
    writer.delete_token(user, id).await?;
    writer.commit().await?;
    Ok(Redirect::to("/me/").into_response())
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

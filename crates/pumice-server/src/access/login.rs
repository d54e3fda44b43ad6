//! Finding out who asks.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use pumice_db::{Database, DbError, Timestamp};

use super::{Identity, Scopes};
use crate::{
    clock::Clock,
    refusal::{Refusal, with_sources},
    secrets,
};

/// What a request says of who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// A user's name and token: XML-RPC's way (lava-compat 7.1), and that of plain addresses.
    UserToken { username: String, token: String },
    /// A token alone: REST's way.
    Token(String),
    /// The cookie of a page.
    Session(String),
}

/// Never shows the secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::UserToken { .. } => "UserToken",
            Self::Token(_) => "Token",
            Self::Session(_) => "Session",
        })
    }
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The token is not known, has ended, is not this user's, or its owner was shut out.
    #[error("Invalid token")]
    InvalidToken,
    /// Nobody could find out.
    #[error(transparent)]
    Failed(#[from] Refusal),
}

impl From<DbError> for LoginError {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// The name of the cookie of a page.
pub(crate) const SESSION_COOKIE: &str = "pumice_session";

impl Credentials {
    /// Reads them from headers. `query` is the part of the address after `?`: plain addresses carry `user` and `token`.
    pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        if let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
            return match scheme.to_ascii_lowercase().as_str() {
                "basic" => Self::basic(rest.trim()),
                "token" | "bearer" => Self::Token(rest.trim().to_owned()),
                _ => Self::Token(String::new()),
            };
        }
        if let Some(found) = query.and_then(Self::in_query) {
            return found;
        }
        cookie(headers, SESSION_COOKIE).map_or(Self::None, Self::Session)
    }

    fn basic(encoded: &str) -> Self {
        let decoded = BASE64_STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((username, token)) => {
                Self::UserToken { username: username.to_owned(), token: token.to_owned() }
            }
            None => Self::Token(String::new()),
        }
    }

    fn in_query(query: &str) -> Option<Self> {
        let value = |name: &str| {
            query
                .split('&')
                .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
                .map(|(_, value)| value)
        };
        let (username, token) = (value("user")?, value("token")?);
        Some(Self::UserToken { username: username.to_owned(), token: token.to_owned() })
    }

    /// Finds the person.
    pub(crate) async fn identify(&self, database: &Database, clock: Clock) -> Result<Identity, LoginError> {
        let now = clock.now();
        let mut reader = database.read().await?;
        let (username, token) = match self {
            Self::None => return Ok(Identity::of(&mut reader, None, Scopes::default()).await?),
            Self::Session(cookie) => {
                let user =
                    reader.web_session(&secrets::hash(cookie), now).await?.filter(|user| user.is_active);
                return Ok(Identity::of(&mut reader, user, Scopes::default()).await?);
            }
            Self::Token(token) => (None, token),
            Self::UserToken { username, token } => (Some(username), token),
        };
        let found = reader.token_by_hash(&secrets::hash(token)).await?;
        let (token, user) = found
            .filter(|(token, user)| user.is_active && !token.has_expired(now))
            .filter(|(_, user)| username.is_none_or(|username| *username == user.username))
            .ok_or(LoginError::InvalidToken)?;
        let scopes = Scopes::parse(&token.scopes).ok_or(LoginError::InvalidToken)?;
        let identity = Identity::of(&mut reader, Some(user), scopes).await?;
        drop(reader);
        if token.use_is_news(now) {
            let database = database.clone();
            // Nobody waits for it, nor is anybody refused because it cannot be written.
            tokio::spawn(async move {
                if let Err(error) = note_use(&database, token.id, now).await {
                    tracing::warn!(error = with_sources(&error), "the use of a token was not noted");
                }
            });
        }
        Ok(identity)
    }
}

async fn note_use(database: &Database, token: i64, now: Timestamp) -> Result<(), DbError> {
    let mut writer = database.write().await?;
    writer.note_token_use(token, now).await?;
    writer.commit().await
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: header::HeaderName, value: &str, query: Option<&str>, expected: &Credentials) {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        assert!(Credentials::of(&headers, query) == *expected, "{value} {query:?}");
    }

    #[test]
    fn credentials_come_in_every_form_that_clients_send() {
        let named = Credentials::UserToken { username: "admin".into(), token: "a:b".into() };
        check(header::AUTHORIZATION, "Basic YWRtaW46YTpi", None, &named);
        check(header::AUTHORIZATION, "Token t", None, &Credentials::Token("t".into()));
        check(header::AUTHORIZATION, "Bearer t", None, &Credentials::Token("t".into()));
        check(header::AUTHORIZATION, "Basic !", None, &Credentials::Token(String::new()));
        check(header::COOKIE, "a=b; pumice_session=s", None, &Credentials::Session("s".into()));
        check(header::COOKIE, "a=b", None, &Credentials::None);
        let plain = Credentials::UserToken { username: "u".into(), token: "t".into() };
        check(header::COOKIE, "pumice_session=s", Some("x=1&user=u&token=t"), &plain);
        check(header::COOKIE, "pumice_session=s", Some("user=u"), &Credentials::Session("s".into()));
    }
}

//! A page on its way: who looks, what all pages have, how it is refused.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Serialize;

use crate::{
    access::{Credentials, Identity, SESSION_COOKIE, cookie},
    app::Shared,
    refusal::Refusal,
};

/// The places of the main menu: their key, address and word.
const PLACES: [(&str, &str, &str); 7] = [
    ("jobs", "/scheduler/alljobs", "Jobs"),
    ("queue", "/scheduler/queue", "Queue"),
    ("results", "/results/", "Results"),
    ("devices", "/scheduler/alldevices", "Devices"),
    ("types", "/scheduler/device_types", "Types"),
    ("workers", "/scheduler/allworkers", "Workers"),
    ("submit", "/scheduler/jobsubmit", "Submit"),
];

/// A page shows what is; nothing of it is kept.
const HEADERS: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Who looks at a page.
pub(super) struct Page {
    pub(super) who: Identity,
    pub(super) shared: Arc<Shared>,
    /// What a form must carry.
    csrf: String,
}

/// What all pages have, beside their own values.
#[derive(Serialize)]
struct Whole<'a, V> {
    title: &'a str,
    section: &'a str,
    places: [(&'static str, &'static str, &'static str); 7],
    version: &'static str,
    csrf: &'a str,
    user: Option<&'a str>,
    #[serde(flatten)]
    values: V,
}

/// What the page of a refusal sees.
#[derive(Serialize)]
struct RefusedView {
    message: String,
}

/// A refusal, as it is shown.
pub(super) struct Refused(Box<Response>);

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        let refusal = refusal.into();
        refusal.log();
        let (status, title) = heading(&refusal);
        Self(Box::new((status, format!("{title}: {}", refusal.public_message())).into_response()))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The status of a refusal's page and the words over it.
fn heading(refusal: &Refusal) -> (StatusCode, &'static str) {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let title = match status {
        StatusCode::NOT_FOUND => "Not here",
        StatusCode::FORBIDDEN => "Not for you",
        StatusCode::UNAUTHORIZED => "Log in first",
        _ => "That did not work",
    };
    (status, title)
}

/// What a handler answers.
pub(super) type Answer = Result<Response, Refused>;

impl FromRequestParts<Arc<Shared>> for Page {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        let credentials = Credentials::of(&parts.headers, parts.uri.query());
        // A page is also read by scripts with a token; one that is not valid is nobody's.
        let who = credentials.identify(&shared.database, shared.clock).await.unwrap_or_default();
        if who.user.is_none() && shared.config.require_login && parts.uri.path() != "/login" {
            return Err(Redirect::to("/login").into_response());
        }
        Ok(Self { csrf: csrf(shared, &parts.headers), who, shared: Arc::clone(shared) })
    }
}

/// What a form must carry: only a page of ours can know it.
fn csrf(shared: &Shared, headers: &HeaderMap) -> String {
    cookie(headers, SESSION_COOKIE).map(|session| shared.key.derive("csrf", &session)).unwrap_or_default()
}

impl Page {
    /// Refuses a form that is not from a page of ours.
    pub(super) fn check_csrf(&self, shown: &str) -> Result<(), Refusal> {
        if !self.csrf.is_empty() && self.csrf == shown {
            return Ok(());
        }
        Err(Refusal::Forbidden(
            "The form is too old: go back, load the page again, and send it once more.".to_owned(),
        ))
    }

    /// The page, with what all pages have.
    pub(super) fn show(&self, template: &str, section: &str, title: &str, values: impl Serialize) -> Answer {
        let whole = Whole {
            title,
            section,
            places: PLACES,
            version: env!("CARGO_PKG_VERSION"),
            csrf: &self.csrf,
            user: self.who.user.as_ref().map(|user| user.username.as_str()),
            values,
        };
        let text = self.shared.pages.render(template, &whole)?;
        Ok((HEADERS, Html(text)).into_response())
    }

    /// A refusal that is shown as a page.
    pub(super) fn refuse(&self, refusal: Refusal) -> Refused {
        let (status, title) = heading(&refusal);
        match self.show("refused.html", "", title, RefusedView { message: refusal.public_message() }) {
            Ok(mut response) => {
                refusal.log();
                *response.status_mut() = status;
                Refused(Box::new(response))
            }
            Err(_) => refusal.into(),
        }
    }

    /// What was done, or the page that says why it was not.
    pub(super) fn or_refuse<T>(&self, done: Result<T, Refusal>) -> Result<T, Refused> {
        done.map_err(|refusal| self.refuse(refusal))
    }
}

/// The page for an address where nothing is.
pub(crate) async fn nowhere(shared: Arc<Shared>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match Page::from_request_parts(&mut parts, &shared).await {
        Ok(page) => page
            .refuse(Refusal::Missing(format!("There is nothing at {}.", parts.uri.path())))
            .into_response(),
        Err(elsewhere) => elsewhere,
    }
}

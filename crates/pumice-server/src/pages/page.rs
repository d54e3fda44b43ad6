//! A page on its way: who looks, what all pages have, how it is refused.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};

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

/// A page that could not be shown.
pub(super) struct Refused {
    refusal: Refusal,
    page: Option<Box<Page>>,
}

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        Self { refusal: refusal.into(), page: None }
    }
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
    pub(super) fn show(&self, template: &str, section: &str, title: &str, values: Value) -> Answer {
        let mut values = values;
        for (name, value) in [
            ("title", json!(title)),
            ("section", json!(section)),
            ("places", json!(PLACES)),
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("csrf", json!(self.csrf)),
            ("user", json!(self.who.user.as_ref().map(|user| user.username.as_str()))),
        ] {
            values[name] = value;
        }
        let text = self.shared.pages.render(template, &values)?;
        Ok((HEADERS, Html(text)).into_response())
    }

    /// A refusal that is shown as a page.
    pub(super) fn refuse(self, refusal: impl Into<Refusal>) -> Refused {
        Refused { refusal: refusal.into(), page: Some(Box::new(self)) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.refusal.log();
        let status = StatusCode::from_u16(self.refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = match status {
            StatusCode::NOT_FOUND => "Not here",
            StatusCode::FORBIDDEN => "Not for you",
            StatusCode::UNAUTHORIZED => "Log in first",
            _ => "That did not work",
        };
        let message = self.refusal.public_message();
        let shown = self.page.map(|page| page.show("refused.html", "", title, json!({ "message": message })));
        match shown {
            Some(Ok(mut response)) => {
                *response.status_mut() = status;
                response
            }
            _ => (status, format!("{title}: {message}")).into_response(),
        }
    }
}

//! Submitting from a page, with a check while one writes.

use axum::{
    Form, Json,
    extract::Query,
    response::{IntoResponse, Redirect},
};
use pumice_types::{Severity, Sources};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    jobs::find,
    page::{Answer, Page},
};
use crate::{
    lab::{
        jobs,
        submission::{self, Submitted},
    },
    rest::encoded,
};

/// The number of the first of the jobs, as people see it.
pub(super) fn first(submitted: &Submitted) -> String {
    match submitted {
        Submitted::Single(id) => id.to_string(),
        Submitted::Group(ids) => ids.first().cloned().unwrap_or_default(),
    }
}

#[derive(Deserialize)]
pub(super) struct Like {
    like: Option<String>,
}

pub(super) async fn form(page: Page, Query(query): Query<Like>) -> Answer {
    let (page, definition) = match query.like {
        Some(id) => {
            let (page, job) = find(page, &id).await?;
            let text = jobs::submitted_text(&mut page.shared.database.read().await?, &job).await?;
            (page, text)
        }
        None => (page, String::new()),
    };
    page.show("submit.html", "submit", "Submit", json!({ "definition": definition }))
}

#[derive(Deserialize)]
pub(super) struct Submission {
    #[serde(default)]
    csrf: String,
    definition: String,
}

pub(super) async fn submit(page: Page, Form(form): Form<Submission>) -> Answer {
    let done = async {
        page.check_csrf(&form.csrf)?;
        // Forms end lines as mail does; a job's text keeps its own.
        let text = form.definition.replace("\r\n", "\n");
        submission::submit(&page.shared, &page.who, &text).await
    };
    match done.await {
        Ok(submitted) => {
            Ok(Redirect::to(&format!("/scheduler/job/{}", encoded(&first(&submitted)))).into_response())
        }
        Err(refusal) => {
            refusal.log();
            let values = json!({ "definition": form.definition, "error": refusal.public_message() });
            page.show("submit.html", "submit", "Submit", values)
        }
    }
}

/// Every mistake of a definition, with its place.
pub(super) async fn check(page: Page, text: String) -> Json<Value> {
    let mut sources = Sources::default();
    let source = sources.add("the definition", text.clone());
    let (_, diagnostics) = pumice_job::parse_by(&text, source, &page.shared.config.rules());
    let one = |found: &pumice_types::Diagnostic| {
        let at = found.span.and_then(|span| sources.position(span));
        json!({
            "severity": match found.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "code": found.code, "message": found.message, "help": found.help,
            "line": at.map(|at| at.line), "column": at.map(|at| at.column),
        })
    };
    Json(diagnostics.iter().map(one).collect())
}

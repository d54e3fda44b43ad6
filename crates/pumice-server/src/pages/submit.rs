//! Submitting from a page, with a check while one writes.

use axum::{
    Form, Json,
    extract::Query,
    response::{IntoResponse, Redirect},
};
use pumice_types::{Diagnostic, Severity, Sources};
use serde::{Deserialize, Serialize};

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

/// What `submit.html` sees.
#[derive(Serialize)]
struct SubmitView {
    definition: String,
    /// Why it was refused.
    error: Option<String>,
}

pub(super) async fn form(page: Page, Query(query): Query<Like>) -> Answer {
    let definition = match query.like {
        Some(id) => {
            let job = find(&page, &id).await?;
            jobs::submitted_text(&mut page.shared.database.read().await?, &job).await?
        }
        None => String::new(),
    };
    page.show("submit.html", "submit", "Submit", SubmitView { definition, error: None })
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
            let values = SubmitView { definition: form.definition, error: Some(refusal.public_message()) };
            page.show("submit.html", "submit", "Submit", values)
        }
    }
}

/// A mistake of a definition, for the script that marks it. Lines and columns count from 1.
#[derive(Serialize)]
pub(super) struct Mistake {
    severity: &'static str,
    code: String,
    message: String,
    help: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
}

/// Every mistake of a definition, with its place.
pub(super) async fn check(page: Page, text: String) -> Json<Vec<Mistake>> {
    let mut sources = Sources::default();
    let source = sources.add("the definition", text.clone());
    let (_, diagnostics) = pumice_job::parse_by(&text, source, &page.shared.config.rules());
    let one = |found: &Diagnostic| {
        let at = found.span.and_then(|span| sources.position(span));
        Mistake {
            severity: match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: found.code.to_string(),
            message: found.message.clone(),
            help: found.help.clone(),
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
        }
    };
    Json(diagnostics.iter().map(one).collect())
}

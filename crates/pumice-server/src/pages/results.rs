//! Results: lately, of a job, of a suite, one.

use axum::extract::{Path, Query};
use pumice_db::{Case, Condition, Job, Listing, Page as Part, Reader};
use serde::Serialize;

use super::{
    context::{CaseView, JobView, ListingView, part, views},
    jobs::{excerpt, find},
    page::{Answer, Page},
};
use crate::refusal::Refusal;

/// Failed tests that are listed at once.
const FAILED: u64 = 500;

/// A suite with counts of its results.
#[derive(Serialize)]
pub(super) struct SuiteView {
    name: String,
    pass: u64,
    fail: u64,
    /// Skipped or unknown.
    other: u64,
}

/// The suites of a job.
pub(super) async fn suites(reader: &mut Reader, job: &Job) -> Result<Vec<SuiteView>, Refusal> {
    let counts = reader.result_counts(job.id).await?;
    let suites = reader.suites(job.id, &[]).await?;
    let one = |suite: pumice_db::Suite| {
        let count = |word: &str| counts.get(&suite.id).and_then(|of| of.get(word)).copied().unwrap_or(0);
        let other = count("skip") + count("unknown");
        SuiteView { pass: count("pass"), fail: count("fail"), other, name: suite.name }
    };
    Ok(suites.into_iter().map(one).collect())
}

/// Tests that failed; the runner's own steps aside.
pub(super) async fn failed(reader: &mut Reader, job: &Job, limit: u64) -> Result<Listing<Case>, Refusal> {
    let failed = [("result", "fail"), ("suite__name__ne", "lava")];
    let failed: Vec<_> =
        failed.iter().filter_map(|(name, value)| Condition::on_cases(name, value).ok()).collect();
    Ok(reader.cases(job.id, &failed, &[], Part { limit, offset: 0 }).await?)
}

/// What `results.html` sees when it shows many jobs.
#[derive(Serialize)]
struct LatelyView {
    listing: ListingView<JobView>,
}

pub(super) async fn lately(page: Page, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let now = page.shared.clock.now();
    let wanted = part(&pairs);
    let finished: Vec<_> = Condition::on_jobs("state", "Finished").into_iter().collect();
    let found = page.shared.database.read().await?.jobs(&page.who.viewer, &finished, &[], wanted).await?;
    let listing = ListingView::new(&found, wanted, &pairs, |job| JobView::new(job, now));
    page.show("results.html", "results", "Results", LatelyView { listing })
}

/// What `results.html` sees when it shows one job.
#[derive(Serialize)]
struct OfJobView {
    job: JobView,
    suites: Vec<SuiteView>,
    failed_cases: Vec<CaseView>,
    /// The job to hold it against.
    previous: Option<String>,
}

pub(super) async fn of_job(page: Page, Path(id): Path<String>) -> Answer {
    let job = find(&page, &id).await?;
    let mut reader = page.shared.database.read().await?;
    let values = OfJobView {
        job: JobView::new(&job, page.shared.clock.now()),
        suites: suites(&mut reader, &job).await?,
        failed_cases: views(&failed(&mut reader, &job, FAILED).await?.rows),
        previous: super::jobs::previous(&mut reader, &page.who.viewer, &job).await?,
    };
    drop(reader);
    page.show("results.html", "results", &format!("Results of job {}", job.display_id()), values)
}

/// What `suite.html` sees.
#[derive(Serialize)]
struct OfSuiteView {
    job: JobView,
    cases: Vec<CaseView>,
}

pub(super) async fn of_suite(page: Page, Path((id, name)): Path<(String, String)>) -> Answer {
    let job = find(&page, &id).await?;
    let mut reader = page.shared.database.read().await?;
    let suite = reader.suite(job.id, &name).await?.ok_or_else(|| Refusal::missing("Suite", &name));
    let suite = page.or_refuse(suite)?;
    let conditions: Vec<_> = Condition::on_cases("suite", &suite.id.to_string()).into_iter().collect();
    let cases = reader.cases(job.id, &conditions, &[], Part { limit: 5000, offset: 0 }).await?.rows;
    drop(reader);
    let values = OfSuiteView { job: JobView::new(&job, page.shared.clock.now()), cases: views(&cases) };
    page.show("suite.html", "results", &suite.name, values)
}

/// What `case.html` sees.
#[derive(Serialize)]
struct OneCaseView {
    case: CaseView,
    job: JobView,
    /// The result's other fields, as YAML.
    metadata: String,
    /// The lines of the log that it points at.
    excerpt: String,
    /// The same case in other jobs.
    history: Vec<CaseView>,
}

pub(super) async fn case(page: Page, Path(id): Path<i64>) -> Answer {
    let found = page.shared.database.read().await?.case(id).await?;
    let case = page.or_refuse(found.ok_or_else(|| Refusal::missing("Test case", id)))?;
    let job = find(&page, &case.job_id.to_string()).await?;
    let history = page.shared.database.read().await?.case_history(&case, &job.description, 20).await?;
    let excerpt = match (case.start_log_line, case.end_log_line) {
        (Some(first), Some(last)) => excerpt(&page, &job, first, last).await?,
        _ => String::new(),
    };
    let values = OneCaseView {
        case: CaseView::from(&case),
        job: JobView::new(&job, page.shared.clock.now()),
        metadata: crate::yaml::dump(&case.metadata),
        excerpt,
        history: views(&history),
    };
    page.show("case.html", "results", &case.name, values)
}

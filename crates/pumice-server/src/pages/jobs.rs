//! Lists of jobs, the page of one, and what may be done to it.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query},
    response::{IntoResponse, Redirect},
};
use pumice_db::{Attachment, Condition, Job, Page as Part, Reader, Viewer};
use pumice_types::ByteSize;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    context::{CaseView, JobView, ListingView, part, views},
    page::{Answer, Page, Refused},
    results::SuiteView,
};
use crate::{lab::jobs, refusal::Refusal, results as reading};

type Pairs = Query<Vec<(String, String)>>;

/// What a list is narrowed to: every known filter in the address.
fn conditions(pairs: &[(String, String)]) -> Vec<Condition> {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given.filter_map(|(name, value)| Condition::on_jobs(name, value).ok()).collect()
}

/// What `jobs.html` sees.
#[derive(Serialize)]
struct ListView {
    listing: ListingView<JobView>,
    filters: BTreeMap<String, String>,
}

async fn list(
    page: Page,
    pairs: Vec<(String, String)>,
    more: Vec<Condition>,
    section: &str,
    title: &str,
) -> Answer {
    let now = page.shared.clock.now();
    let wanted = part(&pairs);
    let all: Vec<_> = conditions(&pairs).into_iter().chain(more).collect();
    let found = page.shared.database.read().await?.jobs(&page.who.viewer, &all, &[], wanted).await?;
    let listing = ListingView::new(&found, wanted, &pairs, |job| JobView::new(job, now));
    let values = ListView { listing, filters: pairs.into_iter().collect() };
    page.show("jobs.html", section, title, values)
}

pub(super) async fn all(page: Page, Query(pairs): Pairs) -> Answer {
    list(page, pairs, Vec::new(), "jobs", "Jobs").await
}

pub(super) async fn active(page: Page, Query(pairs): Pairs) -> Answer {
    list(page, pairs, vec![Condition::unfinished_jobs()], "jobs", "Active jobs").await
}

pub(super) async fn mine(page: Page, Query(pairs): Pairs) -> Answer {
    let Some(user) = page.who.user.as_ref() else { return Ok(Redirect::to("/login").into_response()) };
    let own = Condition::on_jobs("submitter", &user.username).into_iter().collect();
    list(page, pairs, own, "jobs", "My jobs").await
}

/// The job, or the page that says no.
pub(super) async fn find(page: &Page, id: &str) -> Result<Job, Refused> {
    let mut reader = page.shared.database.read().await?;
    page.or_refuse(jobs::find(&mut reader, &page.who, id).await)
}

/// How a job's page is asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// Every line of the log, however many there are.
    whole: Option<String>,
}

/// Lines of a log that a page shows unless it is asked for the whole: what a browser holds with ease.
const LOG_LINES: u64 = 30_000;

/// Failed tests that stand at the top of a job's page.
const FAILED_CASES: u64 = 10;

/// A job of the same group.
#[derive(Serialize)]
struct MemberView {
    shown: String,
    role: Option<String>,
}

impl From<&Job> for MemberView {
    fn from(job: &Job) -> Self {
        Self { shown: job.display_id(), role: job.role.clone() }
    }
}

/// A file that a job left.
#[derive(Serialize)]
struct FileView {
    name: String,
    size: String,
}

impl From<&Attachment> for FileView {
    fn from(file: &Attachment) -> Self {
        let size = ByteSize(u64::try_from(file.size_bytes).unwrap_or(0));
        Self { name: file.name.clone(), size: size.to_string() }
    }
}

/// What `job.html` sees.
#[derive(Serialize)]
struct OneView {
    job: JobView,
    visibility: String,
    tags: Vec<String>,
    group: Vec<MemberView>,
    files: Vec<FileView>,
    suites: Vec<SuiteView>,
    timing: Vec<StepView>,
    may_change: bool,
    /// What it waits for, or how it ended, as `jobs::why` tells it.
    why: Value,
    failed_cases: Vec<CaseView>,
    failed_total: u64,
    /// The job to hold it against.
    previous: Option<String>,
    /// Lines of the log that are left out before the first that is shown.
    log_first: u64,
}

pub(super) async fn one(page: Page, Path(id): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let job = find(&page, &id).await?;
    let lines = reading::size(&page.shared, reading::place(&job)).await.map_err(Refusal::from)?.lines;
    let why = jobs::why(&page.shared, &job).await?;
    let mut reader = page.shared.database.read().await?;
    let group = match &job.target_group {
        Some(group) => reader.jobs_of_group(group).await?,
        None => Vec::new(),
    };
    let failed = super::results::failed(&mut reader, &job, FAILED_CASES).await?;
    let values = OneView {
        job: JobView::new(&job, page.shared.clock.now()),
        visibility: jobs::visibility_words(&mut reader, &job).await?,
        tags: reader.job_tags(job.id).await?,
        group: views(&group),
        files: views(&reader.attachments(job.id).await?),
        suites: super::results::suites(&mut reader, &job).await?,
        timing: timing(&mut reader, &job).await?,
        may_change: page.who.may_change_job(&mut reader, &job).await?,
        why,
        failed_cases: views(&failed.rows),
        failed_total: failed.total,
        previous: previous(&mut reader, &page.who.viewer, &job).await?,
        log_first: if asked.whole.is_some() { 0 } else { lines.saturating_sub(LOG_LINES) },
    };
    drop(reader);
    page.show("job.html", "jobs", &format!("Job {}", job.display_id()), values)
}

/// The last job of the same name that ended before this one, as people see it.
pub(super) async fn previous(
    reader: &mut Reader,
    viewer: &Viewer,
    job: &Job,
) -> Result<Option<String>, Refusal> {
    let id = job.id.to_string();
    let alike = [("description", job.description.as_str()), ("id__lt", &id), ("state", "Finished")];
    let alike: Vec<_> =
        alike.iter().filter_map(|(name, value)| Condition::on_jobs(name, value).ok()).collect();
    let found = reader.jobs(viewer, &alike, &[], Part { limit: 1, offset: 0 }).await?;
    Ok(found.rows.first().map(Job::display_id))
}

/// How many of the runner's own steps are shown.
const STEPS: usize = 8;

/// One of the runner's own steps, with its time.
#[derive(Serialize)]
struct StepView {
    name: String,
    seconds: String,
    /// Of the longest step's time, in percent.
    share: String,
}

/// What the time went to: the durations the runner recorded for its own steps.
async fn timing(reader: &mut Reader, job: &Job) -> Result<Vec<StepView>, Refusal> {
    let Some(suite) = reader.suite(job.id, "lava").await? else { return Ok(Vec::new()) };
    let conditions: Vec<_> = Condition::on_cases("suite", &suite.id.to_string()).into_iter().collect();
    let cases = reader.cases(job.id, &conditions, &[], Part { limit: 1000, offset: 0 }).await?.rows;
    let mut steps: Vec<_> = cases
        .iter()
        .filter(|case| case.units == "seconds")
        .filter_map(|case| Some((case.name.as_str(), case.measurement.filter(|seconds| *seconds > 0.0)?)))
        .collect();
    steps.sort_by(|one, other| other.1.total_cmp(&one.1));
    steps.truncate(STEPS);
    let longest = steps.first().map_or(1.0, |step| step.1);
    let step = |(name, seconds): &(&str, f64)| StepView {
        name: (*name).to_owned(),
        seconds: format!("{seconds:.2}"),
        share: format!("{:.0}", 100.0 * seconds / longest),
    };
    Ok(steps.iter().map(step).collect())
}

/// What `text.html` sees.
#[derive(Serialize)]
struct TextView {
    text: String,
    /// Where one came from, and its name.
    back: String,
    back_word: String,
    /// The text alone.
    plain: String,
}

pub(super) async fn definition(page: Page, Path(id): Path<String>) -> Answer {
    let job = find(&page, &id).await?;
    let text = jobs::submitted_text(&mut page.shared.database.read().await?, &job).await?;
    let name = job.display_id();
    let values = TextView {
        text,
        back: format!("/scheduler/job/{name}"),
        back_word: format!("Job {name}"),
        plain: format!("/scheduler/job/{name}/definition/plain"),
    };
    page.show("text.html", "jobs", &format!("Definition of job {name}"), values)
}

#[derive(Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    priority: Option<u8>,
}

fn back(id: &str) -> axum::response::Response {
    Redirect::to(&format!("/scheduler/job/{}", crate::rest::encoded(id))).into_response()
}

pub(super) async fn cancel(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    page.or_refuse(page.check_csrf(&form.csrf))?;
    page.or_refuse(jobs::cancel(&page.shared, &page.who, &id).await)?;
    Ok(back(&id))
}

pub(super) async fn annotate(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    page.or_refuse(page.check_csrf(&form.csrf))?;
    page.or_refuse(jobs::annotate(&page.shared, &page.who, &id, &form.comment).await)?;
    Ok(back(&id))
}

pub(super) async fn priority(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    page.or_refuse(page.check_csrf(&form.csrf))?;
    let priority = form.priority.filter(|priority| *priority <= 100);
    let priority = priority.ok_or_else(|| Refusal::Invalid("A priority is 0 to 100.".to_owned()));
    let priority = page.or_refuse(priority)?;
    page.or_refuse(jobs::set_priority(&page.shared, &page.who, &id, priority).await)?;
    Ok(back(&id))
}

pub(super) async fn resubmit(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    page.or_refuse(page.check_csrf(&form.csrf))?;
    let submitted = page.or_refuse(jobs::resubmit(&page.shared, &page.who, &id).await)?;
    Ok(back(&super::submit::first(&submitted)))
}

/// The lines of the log that a result points at.
pub(super) async fn excerpt(page: &Page, job: &Job, first: i64, last: i64) -> Result<String, Refusal> {
    let (first, last) = (u64::try_from(first).unwrap_or(0), u64::try_from(last).unwrap_or(0));
    let end = last.max(first).saturating_add(1).min(first.saturating_add(200));
    let lines =
        reading::read_lines(&page.shared, reading::place(job), first, Some(end), reading::PIECE_BYTES)
            .await?;
    let text = |line: &str| {
        pumice_record::read_line(line).ok().map(|record| match record.message {
            pumice_record::Message::Text(text) => text,
            pumice_record::Message::Structured(value) => value.to_string(),
        })
    };
    Ok(lines.lines().filter_map(text).collect::<Vec<_>>().join("\n"))
}

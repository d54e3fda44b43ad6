//! Home, lists of jobs, and the page of one.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Form,
    extract::{Path, Query},
    response::{IntoResponse, Redirect},
};
use pumice_db::{Condition, DeviceHealth, Job, Order, Page as Part, WorkerState};
use pumice_types::{JobState, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    context::{self as shown, listing, part},
    page::{Answer, Page},
};
use crate::{lab::jobs, refusal::Refusal, results as reading};

type Pairs = Query<Vec<(String, String)>>;

pub(super) async fn home(page: Page) -> Answer {
    let now = page.shared.clock.now();
    let mut reader = page.shared.database.read().await?;
    let numbers = reader.statistics().await?;
    let count = |wanted: &[JobState]| -> u64 {
        numbers.jobs.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, count)| *count).sum()
    };
    let few = Part { limit: 10, offset: 0 };
    let running: Vec<_> =
        Condition::on_jobs("state__in", "Scheduled,Running,Canceling").into_iter().collect();
    let running = reader.jobs(&page.who.viewer, &running, &[], few).await?.rows;
    let finished: Vec<_> = Condition::on_jobs("state", "Finished").into_iter().collect();
    let newest: Vec<_> = Order::of_jobs("-end_time").into_iter().collect();
    let lately = reader.jobs(&page.who.viewer, &finished, &newest, few).await?.rows;
    drop(reader);
    let rows = |jobs: &[Job]| jobs.iter().map(|job| shown::job(job, now)).collect::<Vec<_>>();
    let of_health = |health: DeviceHealth| numbers.devices.get(health.as_str()).copied().unwrap_or(0);
    let values = json!({ "numbers": json!({ "devices": numbers.devices.values().sum::<u64>() - of_health(DeviceHealth::Retired), "good": of_health(DeviceHealth::Good), "bad": of_health(DeviceHealth::Bad), "workers": numbers.workers.values().sum::<u64>(), "online": numbers.workers.get(WorkerState::Online.as_str()).copied().unwrap_or(0), "running": count(&[JobState::Scheduled, JobState::Running, JobState::Cancelling]), "waiting": count(&[JobState::Submitted]), "complete": count(&[JobState::Finished(Verdict::Complete)]), "incomplete": count(&[JobState::Finished(Verdict::Incomplete)]) }), "running": rows(&running), "lately": rows(&lately) });
    page.show("home.html", "", "The lab", values)
}

/// What a list is narrowed to: every known filter in the address.
fn conditions(pairs: &[(String, String)]) -> Vec<Condition> {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given.filter_map(|(name, value)| Condition::on_jobs(name, value).ok()).collect()
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
    let filters: BTreeMap<_, _> = pairs.iter().cloned().collect();
    let values =
        json!({ "listing": listing(&found, wanted, &pairs, |job| shown::job(job, now)), "filters": filters });
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
pub(super) async fn find(page: Page, id: &str) -> Result<(Page, Job), super::page::Refused> {
    let found = async { jobs::find(&mut page.shared.database.read().await?, &page.who, id).await }.await;
    match found {
        Ok(job) => Ok((page, job)),
        Err(refusal) => Err(page.refuse(refusal)),
    }
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

pub(super) async fn one(page: Page, Path(id): Path<String>, Query(asked): Query<Asked>) -> Answer {
    let (page, job) = find(page, &id).await?;
    let lines = reading::size(&page.shared, reading::place(&job)).await.map_err(Refusal::from)?.lines;
    let log_first = if asked.whole.is_some() { 0 } else { lines.saturating_sub(LOG_LINES) };
    let shared = Arc::clone(&page.shared);
    let now = shared.clock.now();
    let why = jobs::why(&shared, &job).await?;
    let mut reader = shared.database.read().await?;
    let group = match &job.target_group {
        Some(group) => reader.jobs_of_group(group).await?,
        None => Vec::new(),
    };
    let member = |job: &Job| json!({ "shown": job.display_id(), "role": job.role });
    let files = reader.attachments(job.id).await?;
    let file = |file: &pumice_db::Attachment| {
        let size = pumice_types::ByteSize(u64::try_from(file.size_bytes).unwrap_or(0));
        json!({ "name": file.name, "size": size.to_string() })
    };
    let failed = super::results::failed(&mut reader, &job, FAILED_CASES).await?;
    let previous = previous(&mut reader, &page.who.viewer, &job).await?;
    let values = json!({ "log_first": log_first, "failed_cases": failed.rows.iter().map(shown::case).collect::<Vec<_>>(), "failed_total": failed.total, "previous": previous, "job": shown::job(&job, now), "visibility": jobs::visibility_words(&mut reader, &job).await?, "tags": reader.job_tags(job.id).await?, "group": group.iter().map(member).collect::<Vec<_>>(), "files": files.iter().map(file).collect::<Vec<_>>(), "suites": super::results::suites(&mut reader, &job).await?, "timing": timing(&mut reader, &job).await?, "may_change": page.who.may_change_job(&mut reader, &job).await?, "failure": why.get("failure"), "why": why });
    drop(reader);
    page.show("job.html", "jobs", &format!("Job {}", job.display_id()), values)
}

/// The last job of the same name that ended before this one, as people see it.
pub(super) async fn previous(
    reader: &mut pumice_db::Reader,
    viewer: &pumice_db::Viewer,
    job: &Job,
) -> Result<Option<String>, Refusal> {
    let id = job.id.to_string();
    let alike = [("description", job.description.as_str()), ("id__lt", &id), ("state", "Finished")];
    let alike: Vec<_> =
        alike.iter().filter_map(|(name, value)| Condition::on_jobs(name, value).ok()).collect();
    let found = reader.jobs(viewer, &alike, &[], Part { limit: 1, offset: 0 }).await?;
    Ok(found.rows.first().map(Job::display_id))
}

/// The longest of the runner's own steps.
const STEPS: usize = 8;

/// What the time went to: the durations the runner recorded for its own steps.
async fn timing(reader: &mut pumice_db::Reader, job: &Job) -> Result<Vec<Value>, Refusal> {
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
    let step = |(name, seconds): &(&str, f64)| json!({ "name": name, "seconds": format!("{seconds:.2}"), "share": format!("{:.0}", 100.0 * seconds / longest) });
    Ok(steps.iter().map(step).collect())
}

pub(super) async fn definition(page: Page, Path(id): Path<String>) -> Answer {
    let (page, job) = find(page, &id).await?;
    let mut reader = page.shared.database.read().await?;
    let text = jobs::submitted_text(&mut reader, &job).await?;
    drop(reader);
    let name = job.display_id();
    let values = json!({ "text": text, "back": format!("/scheduler/job/{name}"), "back_word": format!("Job {name}"), "plain": format!("/scheduler/job/{name}/definition/plain") });
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
    let done = async {
        page.check_csrf(&form.csrf)?;
        jobs::cancel(&page.shared, &page.who, &id).await
    };
    let done = done.await;
    done.map(|()| back(&id)).map_err(|refusal| page.refuse(refusal))
}

pub(super) async fn annotate(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    let done = async {
        page.check_csrf(&form.csrf)?;
        jobs::annotate(&page.shared, &page.who, &id, &form.comment).await
    };
    let done = done.await;
    done.map(|()| back(&id)).map_err(|refusal| page.refuse(refusal))
}

pub(super) async fn priority(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    let done = async {
        page.check_csrf(&form.csrf)?;
        let priority = form.priority.filter(|priority| *priority <= 100);
        let priority = priority.ok_or_else(|| Refusal::Invalid("A priority is 0 to 100.".to_owned()))?;
        jobs::set_priority(&page.shared, &page.who, &id, priority).await
    };
    let done = done.await;
    done.map(|()| back(&id)).map_err(|refusal| page.refuse(refusal))
}

pub(super) async fn resubmit(page: Page, Path(id): Path<String>, Form(form): Form<Change>) -> Answer {
    let done = async {
        page.check_csrf(&form.csrf)?;
        jobs::resubmit(&page.shared, &page.who, &id).await
    };
    let done = done.await;
    done.map(|submitted| back(&super::submit::first(&submitted))).map_err(|refusal| page.refuse(refusal))
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

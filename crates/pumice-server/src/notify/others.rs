//! The other jobs that decide whether somebody is told of a job, and against which it is held (lava-compat 1.8).

use pumice_db::{Condition, DbError, Job, Page, Reader, Viewer};
use pumice_job::{Compare, Notify, Query};
use pumice_types::{JobState, Verdict};

use super::enqueue::calls_for;
use crate::{lab::query, refusal::Refusal};

/// The most jobs of a `dependency_query` that are looked at, the newest.
const MOST_DEPENDENCIES: u64 = 1000;

/// Whether the other jobs let somebody be told: those of the `dependency_query` are in the wanted state too, and with a
/// `type` this job turned out otherwise than the one before it.
pub(super) async fn agree(reader: &mut Reader, job: &Job, notify: &Notify) -> Result<bool, DbError> {
    if let Some(text) = &notify.criteria.dependency_query {
        match query::conditions(&text.value) {
            Ok(conditions) => {
                let page = Page { limit: MOST_DEPENDENCIES, offset: 0 };
                let viewer = viewer(reader, job).await?;
                let others = reader.jobs(&viewer, &conditions, &[], page).await?.rows;
                let status = &notify.criteria.status.value;
                if others.iter().any(|other| other.id != job.id && !calls_for(status, other.state)) {
                    return Ok(false);
                }
            }
            Err(refusal) => return Ok(unreadable(job, "dependency_query", &refusal)),
        }
    }
    match &notify.criteria.kind {
        Some(kind) => has_turned(reader, job, notify.compare.as_ref(), &kind.value).await,
        None => Ok(true),
    }
}

/// Nobody is told then: `false`.
fn unreadable(job: &Job, what: &str, refusal: &Refusal) -> bool {
    tracing::warn!(job.id = job.id.0, reason = refusal.public_message(), "`{what}` of a job cannot be read");
    false
}

/// What the submitter may see: a job's text must not show its reader more.
async fn viewer(reader: &mut Reader, job: &Job) -> Result<Viewer, DbError> {
    let is_superuser = reader.user_by_id(job.submitter_id).await?.is_some_and(|user| user.is_superuser);
    reader.viewer(Some(job.submitter_id), is_superuser).await
}

/// The job that ended before this one and is held against it: the last that fits the conditions of `compare.query`, else
/// the last of the same name and submitter.
pub(super) async fn previous(
    reader: &mut Reader,
    job: &Job,
    compare: Option<&Compare>,
) -> Result<Option<Job>, DbError> {
    let asked = asked(job, compare);
    let alike = [("description", job.description.as_str()), ("submitter", &job.submitter)];
    let alike = || alike.iter().filter_map(|(name, value)| Condition::on_jobs(name, value).ok()).collect();
    let mut conditions: Vec<Condition> = asked.unwrap_or_else(alike);
    let id = job.id.to_string();
    let earlier = [("id__lt", id.as_str()), ("state", "Finished")];
    conditions.extend(earlier.iter().filter_map(|(name, value)| Condition::on_jobs(name, value).ok()));
    let viewer = viewer(reader, job).await?;
    let found = reader.jobs(&viewer, &conditions, &[], Page { limit: 1, offset: 0 }).await?;
    Ok(found.rows.into_iter().next())
}

/// The conditions of `compare.query`, where it has some on jobs that can be read.
fn asked(job: &Job, compare: Option<&Compare>) -> Option<Vec<Condition>> {
    let Some(Query::Conditions { entity, conditions }) = &compare?.query else { return None };
    if entity.value != query::JOB {
        return None;
    }
    let read = conditions.iter().map(|one| query::condition(&one.name.value, &one.value.value));
    match read.collect() {
        Ok(conditions) => Some(conditions),
        Err(refusal) => {
            unreadable(job, "compare", &refusal);
            None
        }
    }
}

/// Whether a job got worse (`regression`) or better (`progression`) than the one before it.
async fn has_turned(
    reader: &mut Reader,
    job: &Job,
    compare: Option<&Compare>,
    kind: &str,
) -> Result<bool, DbError> {
    let JobState::Finished(verdict) = job.state else { return Ok(false) };
    let Some(before) = previous(reader, job, compare).await? else { return Ok(false) };
    let was_complete = before.state == JobState::Finished(Verdict::Complete);
    let is_complete = verdict == Verdict::Complete;
    Ok(match kind {
        "regression" => was_complete && !is_complete,
        _ => !was_complete && is_complete,
    })
}

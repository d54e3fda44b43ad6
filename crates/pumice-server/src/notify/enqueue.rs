//! Which callbacks a job's new state calls for.

use pumice_db::{
    Condition, DbError, Job, JobHealthWord, JobStateWord, NewCallback, Page, Reader, Timestamp, Viewer,
    Writer,
};
use pumice_job::{Callback, CallbackDataset, CallbackMethod, Notify};
use pumice_types::{JobState, Verdict};

use super::{mail, payload};
use crate::{
    app::Shared,
    lab::{artifact_tokens, definition},
    rest::encoded,
};

/// Keeps the callbacks that a job's present state calls for; `true` when there are any.
pub(crate) async fn enqueue(
    writer: &mut Writer,
    job: &Job,
    shared: &Shared,
    now: Timestamp,
) -> Result<bool, DbError> {
    if !matches!(job.state, JobState::Running | JobState::Finished(_)) {
        return Ok(false);
    }
    let Some(text) = writer.job_text(job.id).await? else { return Ok(false) };
    if !text.definition.contains("notify") {
        return Ok(false);
    }
    let Ok(checked) = definition::read(&text.definition, &shared.config.rules()) else { return Ok(false) };
    let Some(notify) = checked.job.notify.filter(|notify| calls_for(notify, job.state)) else {
        return Ok(false);
    };
    if let Some(kind) = &notify.criteria.kind
        && !has_turned(writer, job, &kind.value).await?
    {
        return Ok(false);
    }
    for callback in &notify.callbacks {
        let header_value = match &callback.token {
            Some(token) => Some(secret(writer, shared, job.submitter_id, &token.value).await?),
            None => None,
        };
        // Until it is delivered it is kept, and a dump of the database must not show it.
        let header_value = match header_value.map(|value| shared.key.seal(&value)).transpose() {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::error!(error = error.to_string(), job.id = job.id.0, "a callback is not sent");
                continue;
            }
        };
        writer.insert_callback(&described(job, callback, header_value), now).await?;
    }
    let mut is_any = !notify.callbacks.is_empty();
    if shared.config.mail.is_some() {
        for address in mail::addresses(writer, job, &notify).await? {
            writer.insert_callback(&mail::described(job, &notify, &address), now).await?;
            is_any = true;
        }
    }
    Ok(is_any)
}

/// The last job of the same name and submitter that ended before this one.
pub(super) async fn previous(reader: &mut Reader, job: &Job) -> Result<Option<Job>, DbError> {
    let id = job.id.to_string();
    let alike = [
        ("description", job.description.as_str()),
        ("submitter", &job.submitter),
        ("id__lt", &id),
        ("state", "Finished"),
    ];
    let alike: Vec<_> =
        alike.iter().filter_map(|(name, value)| Condition::on_jobs(name, value).ok()).collect();
    let found = reader.jobs(&Viewer::everything(), &alike, &[], Page { limit: 1, offset: 0 }).await?;
    Ok(found.rows.into_iter().next())
}

/// Whether a job got worse (`regression`) or better (`progression`) than the one before it.
async fn has_turned(reader: &mut Reader, job: &Job, kind: &str) -> Result<bool, DbError> {
    let JobState::Finished(verdict) = job.state else { return Ok(false) };
    let Some(before) = previous(reader, job).await? else { return Ok(false) };
    let was_complete = before.state == JobState::Finished(Verdict::Complete);
    let is_complete = verdict == Verdict::Complete;
    Ok(match kind {
        "regression" => was_complete && !is_complete,
        _ => !was_complete && is_complete,
    })
}

/// Whether the criteria name this state. They are asked once when a job starts and once when it ends.
fn calls_for(notify: &Notify, state: JobState) -> bool {
    let status = notify.criteria.status.value.as_str();
    match state {
        JobState::Running => matches!(status, "running" | "all"),
        JobState::Finished(verdict) => {
            matches!(status, "finished" | "all")
                || status
                    == match verdict {
                        Verdict::Complete => "complete",
                        Verdict::Incomplete => "incomplete",
                        Verdict::Cancelled => "canceled",
                    }
        }
        _ => false,
    }
}

/// A callback's token: the submitter's secret of that name, else the text itself. LAVA also takes the description of one
/// of the submitter's API tokens; ours are kept as hashes, so that they cannot leave.
async fn secret(writer: &mut Writer, shared: &Shared, user_id: i64, name: &str) -> Result<String, DbError> {
    let known = artifact_tokens::of_user(writer, &shared.key, user_id).await?;
    let known = known.into_iter().find(|token| token.name == name);
    Ok(known.map_or_else(|| name.to_owned(), |token| token.secret))
}

fn described(job: &Job, callback: &Callback, header_value: Option<String>) -> NewCallback {
    NewCallback {
        job_id: job.id,
        url: address(job, &callback.url.value),
        method: match callback.method {
            CallbackMethod::Get => "GET",
            CallbackMethod::Post => "POST",
        }
        .to_owned(),
        content_type: if callback.is_json { "json" } else { "urlencoded" }.to_owned(),
        header_name: callback
            .header
            .as_ref()
            .map_or_else(|| "Authorization".to_owned(), |header| header.value.clone()),
        header_value,
        dataset: match callback.dataset {
            CallbackDataset::Minimal => "minimal",
            CallbackDataset::Logs => "logs",
            CallbackDataset::Results => "results",
            CallbackDataset::All => "all",
        }
        .to_owned(),
    }
}

/// The address with what stands in braces filled in; encoded, so that a job's name cannot become a part of its own.
fn address(job: &Job, template: &str) -> String {
    let status = payload::legacy_status(job.state);
    let state = JobStateWord::from(job.state);
    let health = JobHealthWord::from(job.state);
    let values = [
        ("{ID}", job.id.to_string()),
        ("{STATUS}", status.0.to_string()),
        ("{STATUS_STRING}", status.1.to_owned()),
        ("{STATE}", state.number().to_string()),
        ("{STATE_STRING}", state.as_str().to_lowercase()),
        ("{HEALTH}", health.number().to_string()),
        ("{HEALTH_STRING}", health.as_str().to_lowercase()),
        ("{DEVICE_ID}", job.actual_device.clone().unwrap_or_default()),
        ("{DESCRIPTION}", job.description.clone()),
    ];
    values.into_iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, &encoded(&value)))
}

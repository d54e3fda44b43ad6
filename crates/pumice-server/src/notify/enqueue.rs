//! Which callbacks a job's new state calls for.

use pumice_db::{DbError, Job, JobHealthWord, JobStateWord, NewCallback, Timestamp, Writer};
use pumice_job::{Callback, CallbackDataset, CallbackMethod};
use pumice_types::{JobState, Verdict};

use super::{mail, others, payload};
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
    let Some(notify) =
        checked.job.notify.filter(|notify| calls_for(&notify.criteria.status.value, job.state))
    else {
        return Ok(false);
    };
    if !others::agree(writer, job, &notify).await? {
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

/// Whether the criteria name this state. They are asked once when a job starts and once when it ends.
pub(super) fn calls_for(status: &str, state: JobState) -> bool {
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

/// The address with what stands in braces filled in, `{ID}` or `{ STATUS_STRING }`; encoded, so that a job's name cannot become a
/// part of its own. A name in braces that is none stays.
fn address(job: &Job, template: &str) -> String {
    let mut address = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        address.push_str(before);
        let inside = after.split_once('}');
        let known = inside.and_then(|(name, after)| Some((attribute(job, name.trim())?, after)));
        if let Some((value, after)) = known {
            address.push_str(&encoded(&value));
            rest = after;
        } else {
            address.push('{');
            rest = after;
        }
    }
    address + rest
}

/// What an address may tell of a job: its attributes in large letters (lava-compat 1.8), and what device it got.
fn attribute(job: &Job, name: &str) -> Option<String> {
    let (status, status_string) = payload::legacy_status(job.state);
    let state = JobStateWord::from(job.state);
    let health = JobHealthWord::from(job.state);
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "None".to_owned());
    let time = |time: Option<Timestamp>| or_none(time.map(Timestamp::python_str));
    Some(match name {
        "ID" | "PK" => job.id.to_string(),
        "SUB_ID" => job.sub_id.clone().unwrap_or_default(),
        "DISPLAY_ID" => job.display_id(),
        "TARGET_GROUP" => or_none(job.target_group.clone()),
        "STATUS" => status.to_string(),
        "STATUS_STRING" => status_string.to_owned(),
        "STATE" => state.number().to_string(),
        "STATE_STRING" => state.as_str().to_lowercase(),
        "HEALTH" => health.number().to_string(),
        "HEALTH_STRING" => health.as_str().to_lowercase(),
        "DEVICE_ID" => job.actual_device.clone().unwrap_or_default(),
        "ACTUAL_DEVICE" | "ACTUAL_DEVICE_ID" => or_none(job.actual_device.clone()),
        "REQUESTED_DEVICE_TYPE" | "REQUESTED_DEVICE_TYPE_ID" => or_none(job.requested_device_type.clone()),
        "SUBMITTER" => job.submitter.clone(),
        "DESCRIPTION" => job.description.clone(),
        "PRIORITY" => job.priority.to_string(),
        "SUBMIT_TIME" => time(Some(job.submit_time)),
        "START_TIME" => time(job.start_time),
        "END_TIME" => time(job.end_time),
        _ => return None,
    })
}

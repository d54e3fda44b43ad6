//! Which callbacks a job's new state calls for.

use pumice_db::{DbError, Job, JobHealthWord, JobStateWord, NewCallback, Timestamp, Writer};
use pumice_job::{Callback, CallbackDataset, CallbackMethod, Notify};
use pumice_types::{JobState, Verdict};

use super::payload;
use crate::{app::Shared, lab::definition};

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
    for callback in &notify.callbacks {
        let header_value = match &callback.token {
            Some(token) => Some(secret(writer, job.submitter_id, &token.value).await?),
            None => None,
        };
        writer.insert_callback(&described(job, callback, header_value), now).await?;
    }
    Ok(!notify.callbacks.is_empty())
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
async fn secret(writer: &mut Writer, user_id: i64, name: &str) -> Result<String, DbError> {
    let known = writer.artifact_tokens(user_id).await?.into_iter().find(|token| token.name == name);
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

/// The address with what stands in braces filled in.
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

/// Percent-encoded, so that a job's name cannot become part of an address (RFC 3986, section 2.3).
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_an_address_are_encoded() {
        assert_eq!(encoded("a b/../?x=1&é"), "a%20b%2F..%2F%3Fx%3D1%26%C3%A9");
    }
}

//! Reading log lines for results and messages.

use pumice_db::{Job, NewCase, Writer};
use pumice_record::{LogLevel, LogRecord, Message, ResultRecord, read_line};
use pumice_types::CaseResult;
use serde_json::{Map, Value};

use crate::{app::Shared, events::event_message, refusal::Refusal};

/// Longest name of a suite or a case; what is longer is cut.
const NAME_LIMIT: usize = 200;

/// Reads `text`, whole lines the first of which is number `first` of the log, and keeps what it says.
pub(super) async fn ingest(shared: &Shared, job: &Job, first: u64, text: &str) -> Result<(), Refusal> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(first..) {
        // Most lines are neither: looking for the words is much cheaper than reading the line.
        if !(line.contains("\"results\"") || line.contains("\"event\"")) {
            continue;
        }
        match read_line(line) {
            Ok(record) => found.push((number, record)),
            Err(error) => {
                tracing::warn!(job.id = job.id.0, line = number, %error, "a log line cannot be read");
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let mut writer = shared.database.write().await?;
    for (number, record) in &found {
        match record.level {
            LogLevel::Results => keep_result(&mut writer, shared, job, *number, record).await?,
            LogLevel::Event => {
                let groups = writer.viewing_group_keys(job.id).await?;
                if let Message::Text(message) = &record.message {
                    shared.events.publish(event_message(job, groups, message), shared.clock.now());
                }
            }
            _ => {}
        }
    }
    writer.commit().await?;
    Ok(())
}

async fn keep_result(
    writer: &mut Writer,
    shared: &Shared,
    job: &Job,
    line: u64,
    record: &LogRecord,
) -> Result<(), Refusal> {
    let Message::Structured(json) = &record.message else { return Ok(()) };
    let Some(result) = ResultRecord::from_json(json) else {
        tracing::warn!(job.id = job.id.0, line, "a result lacks its suite, its case or its result");
        return Ok(());
    };
    let suite_id = writer.suite_key(job.id, &name(&result.suite)).await?;
    let set_id = match &result.set {
        Some(set) => Some(writer.set_key(suite_id, &name(set)).await?),
        None => None,
    };
    // LAVA's own actions measure their duration (lava-compat 8.1).
    let duration = result.duration.map(|duration| duration.as_secs_f64());
    let (measurement, units) = match (result.measurement, duration) {
        (Some(measurement), _) => (Some(measurement), result.units.clone().unwrap_or_default()),
        (None, Some(seconds)) if result.suite == "lava" => (Some(seconds), "seconds".to_owned()),
        (None, _) => (None, result.units.clone().unwrap_or_default()),
    };
    let case = NewCase {
        suite_id,
        set_id,
        name: name(&result.case),
        result: result.result,
        measurement,
        units,
        metadata: metadata(json),
        start_log_line: result.start_line.and_then(|line| i64::try_from(line).ok()),
        end_log_line: result.end_line.and_then(|line| i64::try_from(line).ok()),
        log_line: i64::try_from(line).unwrap_or(i64::MAX),
    };
    writer.insert_case(job.id, &case, shared.clock.now()).await?;
    if result.suite == "lava" && result.case == "job" && result.result != CaseResult::Pass {
        let (kind, message) = (result.error_type.as_deref(), result.error_msg.as_deref());
        writer.set_job_error(job.id, kind, message).await?;
    }
    Ok(())
}

/// What is kept of a result besides its columns: all of it but where in the log it was.
fn metadata(json: &Value) -> Value {
    let fields = json.as_object().cloned().unwrap_or_default();
    fields
        .into_iter()
        .filter(|(key, _)| !matches!(key.as_str(), "starttc" | "endtc"))
        .collect::<Map<_, _>>()
        .into()
}

/// A name without blanks around it and without control characters.
fn name(text: &str) -> String {
    let clean: String = text.trim().chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    clean.chars().take(NAME_LIMIT).collect()
}

//! What a callback says (lava-compat 1.8; KernelCI reads it, clients.md 3).

use pumice_db::{Condition, Job, JobHealthWord, JobStateWord, Page, Timestamp};
use pumice_types::{JobState, Verdict};
use serde_json::{Map, Value, json};

use crate::{app::Shared, refusal::Refusal, results, yaml};

/// The most bytes of a log that travel in a callback; what follows is left out.
const LARGEST_LOG: usize = 64 << 20;

/// The number and word that were there before states: 0 submitted, 1 running, 2 complete, 3 incomplete, 4 canceled,
/// 5 canceling.
pub(super) fn legacy_status(state: JobState) -> (i64, &'static str) {
    match state {
        JobState::Submitted | JobState::Scheduled => (0, "submitted"),
        JobState::Running => (1, "running"),
        JobState::Finished(Verdict::Complete) => (2, "complete"),
        JobState::Finished(Verdict::Incomplete) => (3, "incomplete"),
        JobState::Finished(Verdict::Cancelled) => (4, "canceled"),
        JobState::Cancelling => (5, "canceling"),
    }
}

/// Every field of a callback.
pub(super) async fn payload(
    shared: &Shared,
    job: &Job,
    dataset: &str,
    token: Option<&str>,
) -> Result<Map<String, Value>, Refusal> {
    let mut reader = shared.database.read().await?;
    let text = reader.job_text(job.id).await?;
    let email = reader.user_by_id(job.submitter_id).await?.map(|user| user.email);
    let (status, status_string) = legacy_status(job.state);
    let state = JobStateWord::from(job.state);
    let health = JobHealthWord::from(job.state);
    // Python's `str()` of them, also of none.
    let time = |time: Option<Timestamp>| time.map_or_else(|| "None".to_owned(), Timestamp::python_str);
    let mut fields = Map::new();
    for (name, value) in [
        ("id", json!(job.id)),
        ("status", json!(status)),
        ("status_string", json!(status_string)),
        ("state", json!(state.number())),
        ("state_string", json!(state.as_str())),
        ("health", json!(health.number())),
        ("health_string", json!(health.as_str())),
        ("submit_time", json!(time(Some(job.submit_time)))),
        ("start_time", json!(time(job.start_time))),
        ("end_time", json!(time(job.end_time))),
        ("submitter_username", json!(job.submitter)),
        ("submitter_email", json!(email.unwrap_or_default())),
        ("failure_comment", json!(job.failure_comment)),
        ("priority", json!(job.priority)),
        ("description", json!(job.description)),
        ("actual_device_id", json!(job.actual_device)),
        ("definition", json!(text.map(|text| text.definition).unwrap_or_default())),
        ("metadata", Value::Object(results::job_metadata_map(job))),
        ("health_check", json!(job.is_health_check)),
    ] {
        fields.insert(name.to_owned(), value);
    }
    if let Some(token) = token {
        fields.insert("token".to_owned(), json!(token));
    }
    if matches!(dataset, "results" | "all") {
        let mut suites = Map::new();
        for suite in reader.suites(job.id, &[]).await? {
            let conditions: Vec<_> =
                Condition::on_cases("suite", &suite.id.to_string()).into_iter().collect();
            let page = Page { limit: 1 << 31, offset: 0 };
            let cases = reader.cases(job.id, &conditions, &[], page).await?.rows;
            let items: Vec<_> = cases.iter().map(results::case_yaml).collect();
            suites.insert(suite.name, json!(yaml::dump(&Value::Array(items))));
        }
        fields.insert("results".to_owned(), Value::Object(suites));
    }
    drop(reader);
    if matches!(dataset, "logs" | "all") {
        let log = results::read_lines(shared, results::place(job), 0, None, LARGEST_LOG).await?;
        fields.insert("log".to_owned(), json!(log));
    }
    Ok(fields)
}

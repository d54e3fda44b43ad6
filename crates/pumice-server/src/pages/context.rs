//! What templates see of jobs and results, and parts of lists.

use std::time::Duration;

use pumice_db::{Case, Device, Job, JobHealthWord, JobStateWord, Listing, Page as Part, Timestamp};
use pumice_types::JobState;
use serde_json::{Value, json};

use crate::rest::encoded;

/// Rows of one page of a list.
const ROWS: u64 = 50;

/// A job.
pub(super) fn job(job: &Job, now: Timestamp) -> Value {
    let took = job.start_time.map(|start| job.end_time.unwrap_or(now).since(start));
    json!({ "id": job.id.0, "shown": job.display_id(), "description": job.description, "submitter": job.submitter, "device": job.actual_device, "worker": job.worker, "device_type": job.requested_device_type, "word": word(job), "finished": job.is_finished(), "priority": job.priority, "submit_time": job.submit_time.rest(), "start_time": job.start_time.map(Timestamp::rest), "end_time": job.end_time.map(Timestamp::rest), "took": took.map_or_else(|| "–".to_owned(), duration), "error_type": job.error_type, "error_msg": job.error_msg, "failure_comment": job.failure_comment })
}

/// One word for where a job stands or how it ended.
pub(super) fn word(job: &Job) -> &'static str {
    match job.state {
        JobState::Finished(_) => JobHealthWord::from(job.state).as_str(),
        state => JobStateWord::from(state).as_str(),
    }
}

/// `1:05:09`, `5:09`, `9 s`.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A device.
pub(super) fn device(device: &Device) -> Value {
    json!({ "hostname": device.hostname, "device_type": device.device_type, "worker": device.worker, "state": device.state.as_str(), "health": device.health.as_str(), "description": device.description, "job": device.current_job, "last_check": device.last_health_job, "slots": device.slots })
}

/// A result.
pub(super) fn case(case: &Case) -> Value {
    json!({ "id": case.id, "job": case.job_id.0, "name": case.name, "suite": case.suite, "set": case.set, "result": case.result.as_str(), "measurement": case.measurement, "units": case.units, "line": case.start_log_line.filter(|line| *line > 0), "logged": case.logged.rest() })
}

/// An entry of the audit log.
pub(super) fn deed(entry: &pumice_db::AuditEntry) -> Value {
    json!({ "at": entry.at.rest(), "username": entry.username, "message": entry.message })
}

/// Which part of a list an address asks for.
pub(super) fn part(pairs: &[(String, String)]) -> Part {
    let page = pairs.iter().find(|(name, _)| name == "page").and_then(|(_, value)| value.parse::<u64>().ok());
    Part { limit: ROWS, offset: page.unwrap_or(0).min(1 << 30) * ROWS }
}

/// A part of a list with addresses of its neighbours.
pub(super) fn listing<T>(
    listing: &Listing<T>,
    part: Part,
    pairs: &[(String, String)],
    row: impl Fn(&T) -> Value,
) -> Value {
    let shown = u64::try_from(listing.rows.len()).unwrap_or(0);
    let page = part.offset / ROWS;
    let address = |page: u64| {
        let mut query: Vec<_> = pairs
            .iter()
            .filter(|(name, value)| !matches!(name.as_str(), "page" | "user" | "token") && !value.is_empty())
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        query.push(format!("page={page}"));
        format!("?{}", query.join("&"))
    };
    json!({ "total": listing.total, "from": if shown == 0 { 0 } else { part.offset + 1 }, "to": part.offset + shown, "previous": (page > 0).then(|| address(page - 1)), "next": (part.offset + shown < listing.total).then(|| address(page + 1)), "rows": listing.rows.iter().map(row).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let shown: Vec<_> = [9, 309, 3909].map(|seconds| duration(Duration::from_secs(seconds))).into();
        assert_eq!(shown, ["9 s", "5:09", "1:05:09"]);
    }
}

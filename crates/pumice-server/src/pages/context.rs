//! What templates see of jobs, devices and results, and parts of lists.

use std::time::Duration;

use pumice_db::{
    AuditEntry, Case, Device, Job, JobHealthWord, JobStateWord, Listing, Page as Part, Timestamp,
};
use pumice_types::JobState;
use serde::Serialize;

use crate::rest::encoded;

/// Rows of one page of a list.
const ROWS: u64 = 50;

/// Every row at once.
pub(super) const ALL: Part = Part { limit: 1 << 31, offset: 0 };

/// A job. Times are RFC 3339, in UTC.
#[derive(Clone, Serialize)]
pub(super) struct JobView {
    id: i64,
    /// The number people see: `12`, or `12.0` in a group.
    shown: String,
    description: String,
    submitter: String,
    device: Option<String>,
    worker: Option<String>,
    device_type: Option<String>,
    /// Where it stands, or how it ended.
    word: &'static str,
    finished: bool,
    priority: i64,
    submit_time: String,
    start_time: Option<String>,
    end_time: Option<String>,
    /// How long it has run, in words.
    took: String,
    error_type: Option<String>,
    error_msg: Option<String>,
    failure_comment: Option<String>,
}

impl JobView {
    pub(super) fn new(job: &Job, now: Timestamp) -> Self {
        let took = job.start_time.map(|start| job.end_time.unwrap_or(now).since(start));
        Self {
            id: job.id.0,
            shown: job.display_id(),
            description: job.description.clone(),
            submitter: job.submitter.clone(),
            device: job.actual_device.clone(),
            worker: job.worker.clone(),
            device_type: job.requested_device_type.clone(),
            word: word(job),
            finished: job.is_finished(),
            priority: job.priority,
            submit_time: job.submit_time.rest(),
            start_time: job.start_time.map(Timestamp::rest),
            end_time: job.end_time.map(Timestamp::rest),
            took: took.map_or_else(|| "–".to_owned(), duration),
            error_type: job.error_type.clone(),
            error_msg: job.error_msg.clone(),
            failure_comment: job.failure_comment.clone(),
        }
    }

    /// Several, as they stand at one moment.
    pub(super) fn all(jobs: &[Job], now: Timestamp) -> Vec<Self> {
        jobs.iter().map(|job| Self::new(job, now)).collect()
    }
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
#[derive(Serialize)]
pub(super) struct DeviceView {
    hostname: String,
    device_type: String,
    worker: Option<String>,
    state: &'static str,
    health: &'static str,
    description: Option<String>,
    /// The job on it.
    job: Option<i64>,
    /// Its last health check.
    last_check: Option<i64>,
    /// Jobs at once.
    slots: i64,
}

impl From<&Device> for DeviceView {
    fn from(device: &Device) -> Self {
        Self {
            hostname: device.hostname.clone(),
            device_type: device.device_type.clone(),
            worker: device.worker.clone(),
            state: device.state.as_str(),
            health: device.health.as_str(),
            description: device.description.clone(),
            job: device.current_job,
            last_check: device.last_health_job,
            slots: device.slots,
        }
    }
}

/// A result.
#[derive(Serialize)]
pub(super) struct CaseView {
    id: i64,
    job: i64,
    name: String,
    suite: String,
    set: Option<String>,
    result: &'static str,
    measurement: Option<f64>,
    units: String,
    /// Where in the log it begins.
    line: Option<i64>,
    logged: String,
}

impl From<&Case> for CaseView {
    fn from(case: &Case) -> Self {
        Self {
            id: case.id,
            job: case.job_id.0,
            name: case.name.clone(),
            suite: case.suite.clone(),
            set: case.set.clone(),
            result: case.result.as_str(),
            measurement: case.measurement,
            units: case.units.clone(),
            line: case.start_log_line.filter(|line| *line > 0),
            logged: case.logged.rest(),
        }
    }
}

/// An entry of the audit log.
#[derive(Serialize)]
pub(super) struct DeedView {
    at: String,
    username: String,
    message: String,
}

impl From<&AuditEntry> for DeedView {
    fn from(entry: &AuditEntry) -> Self {
        Self { at: entry.at.rest(), username: entry.username.clone(), message: entry.message.clone() }
    }
}

/// Rows as templates see them.
pub(super) fn views<'a, T, V: From<&'a T>>(rows: &'a [T]) -> Vec<V> {
    rows.iter().map(V::from).collect()
}

/// Which part of a list an address asks for.
pub(super) fn part(pairs: &[(String, String)]) -> Part {
    let page = pairs.iter().find(|(name, _)| name == "page").and_then(|(_, value)| value.parse::<u64>().ok());
    Part { limit: ROWS, offset: page.unwrap_or(0).min(1 << 30) * ROWS }
}

/// A part of a list with the addresses of its neighbours.
#[derive(Serialize)]
pub(super) struct ListingView<V> {
    total: u64,
    /// The first row's place, from 1; 0 when there is none.
    from: u64,
    to: u64,
    previous: Option<String>,
    next: Option<String>,
    rows: Vec<V>,
}

impl<V> ListingView<V> {
    /// The part that the address with these pairs asked for.
    pub(super) fn new<T>(
        listing: &Listing<T>,
        part: Part,
        pairs: &[(String, String)],
        row: impl Fn(&T) -> V,
    ) -> Self {
        let shown = u64::try_from(listing.rows.len()).unwrap_or(0);
        let page = part.offset / ROWS;
        let to = part.offset + shown;
        Self {
            total: listing.total,
            from: if shown == 0 { 0 } else { part.offset + 1 },
            to,
            previous: (page > 0).then(|| address(pairs, page - 1)),
            next: (to < listing.total).then(|| address(pairs, page + 1)),
            rows: listing.rows.iter().map(row).collect(),
        }
    }
}

/// The address of another part of the same list. Credentials in the address are not handed on.
fn address(pairs: &[(String, String)], page: u64) -> String {
    let mut query: Vec<_> = pairs
        .iter()
        .filter(|(name, value)| !matches!(name.as_str(), "page" | "user" | "token") && !value.is_empty())
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    query.push(format!("page={page}"));
    format!("?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let shown: Vec<_> = [9, 309, 3909].map(|seconds| duration(Duration::from_secs(seconds))).into();
        assert_eq!(shown, ["9 s", "5:09", "1:05:09"]);
    }

    #[test]
    fn a_list_leads_to_its_neighbours_without_credentials() {
        let pairs = [("state", "Running"), ("token", "secret"), ("page", "1"), ("submitter", "")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let listing = Listing { total: 200, rows: vec![(); 50] };
        let shown = ListingView::new(&listing, part(&pairs), &pairs, |()| ());
        assert_eq!((shown.from, shown.to), (51, 100));
        assert_eq!(shown.previous.as_deref(), Some("?state=Running&page=0"));
        assert_eq!(shown.next.as_deref(), Some("?state=Running&page=2"));
    }
}

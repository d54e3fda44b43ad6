//! Results in the forms that others read: our own JSON, JUnit, TAP, and LAVA's CSV and YAML (lava-compat 7.4).
//!
//! All of them are made from one [`JobReport`]; each masks secrets in what it writes.

mod csv;
mod json;
mod junit;
mod python;
mod summary;
mod tap;
mod yaml;

use pumice_types::{Failure, Verdict};
use serde_json::{Map, Value};

use crate::{ResultRecord, Timestamp};

pub use csv::{CSV_COLUMNS, write_csv, write_csv_row};
pub use json::{JSON_SCHEMA, write_json};
pub use junit::{JunitStyle, write_junit};
pub use summary::{Counts, SuiteSummary, Unfinished, summarise, tells_of_tests, unfinished};
pub use tap::write_tap;
pub use yaml::{write_yaml, yaml_item};

/// A job and its results, in the order they were recorded.
#[derive(Clone, Debug)]
pub struct JobReport {
    /// The job's id, as people write it: `42`, or `12.0` for a node of a MultiNode job.
    pub job: String,
    /// The job's name.
    pub name: String,
    /// The device it ran on.
    pub device: Option<String>,
    /// The device's type.
    pub device_type: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended; `None` while it runs.
    pub verdict: Option<Verdict>,
    /// Why it is not complete.
    pub failure: Option<Failure>,
    /// The results.
    pub results: Vec<LoggedResult>,
}

/// A result with what the log and the store know of it.
#[derive(Clone, Debug)]
pub struct LoggedResult {
    /// Its number: a lab's own, else counted from 1.
    pub id: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The result.
    pub record: ResultRecord,
    /// The part of the log that shows it; only failures need one.
    pub excerpt: Option<String>,
}

impl LoggedResult {
    /// What LAVA stores as the measurement: of its own steps, the duration (lava-compat 8.1).
    fn measured(&self) -> (Option<f64>, &str) {
        match (self.record.measurement, self.record.duration) {
            (None, Some(duration)) if self.record.suite == "lava" => {
                (Some(duration.as_secs_f64()), "seconds")
            }
            (measurement, _) => (measurement, self.record.units.as_deref().unwrap_or_default()),
        }
    }

    /// What LAVA stores as the metadata: the record without the places in the log, `extra` as a list of mappings with one
    /// key each (lava-compat 7.4).
    fn metadata(&self) -> Value {
        let Value::Object(record) = self.record.to_json() else { return Value::Null };
        let kept = record.into_iter().filter(|(key, _)| key != "starttc" && key != "endtc");
        let expand = |(key, value): (String, Value)| match value {
            Value::Object(entries) if key == "extra" => {
                let items =
                    entries.into_iter().map(|(key, value)| Value::Object(Map::from_iter([(key, value)])));
                (key, items.collect())
            }
            value => (key, value),
        };
        Value::Object(kept.map(expand).collect())
    }

    /// The place in the log as LAVA exports it: empty when there is none, or when it is 0.
    fn log_line(line: Option<u64>) -> String {
        line.filter(|line| *line > 0).map(|line| line.to_string()).unwrap_or_default()
    }

    /// Where LAVA's pages show it.
    fn url(&self) -> String {
        format!("/results/testcase/{}", self.id)
    }
}

/// The results by suite, suites in the order of their first result.
fn by_suite(results: &[LoggedResult]) -> Vec<(&str, Vec<&LoggedResult>)> {
    let mut suites: Vec<(&str, Vec<&LoggedResult>)> = Vec::new();
    for result in results {
        let name = result.record.suite.as_str();
        match suites.iter_mut().find(|(suite, _)| *suite == name) {
            Some((_, cases)) => cases.push(result),
            None => suites.push((name, vec![result])),
        }
    }
    suites
}

/// A name or message on one line: control characters become blanks.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

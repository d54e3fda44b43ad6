//! Results in LAVA's words, and as the report that exporters read.

use pumice_db::{Case, Job, Timestamp};
use pumice_record::{
    ResultRecord,
    export::{JobReport, LoggedResult, write_csv},
};
use pumice_types::{JobState, Mask};
use serde_json::{Map, Value, json};

/// A measurement with the ten places of LAVA's column (lava-compat 8.1), as its REST API has it. Only the CSV export says
/// `0E-10` for zero, as LAVA's does.
pub(crate) fn decimal(number: f64) -> String {
    format!("{number:.10}")
}

/// A result's other fields, a mapping under `extra` as a list of mappings of one key (lava-compat 7.4).
fn expanded(metadata: &Value) -> Value {
    let Value::Object(fields) = metadata else { return metadata.clone() };
    let one = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Object(entries) if key == "extra" => {
                entries.iter().map(|(key, value)| json!({ key: value })).collect()
            }
            other => other.clone(),
        };
        (key.clone(), value)
    };
    Value::Object(fields.iter().map(one).collect())
}

/// A result as the YAML exports have it: every value a text (lava-compat 7.4).
pub(crate) fn case_yaml(case: &Case) -> Value {
    let line = |number: Option<i64>| number.filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default();
    json!({
        "name": case.name,
        "job": case.job_id.to_string(),
        "suite": case.suite,
        "result": case.result.as_str(),
        "measurement": case.measurement.map_or_else(|| "None".to_owned(), decimal),
        "unit": case.units,
        "level": case.metadata.get("level").cloned().unwrap_or_else(|| json!("")),
        "url": format!("/results/testcase/{}", case.id),
        "id": case.id.to_string(),
        "logged": case.logged.python_str(),
        "log_start_line": line(case.start_log_line),
        "log_end_line": line(case.end_log_line),
        "metadata": expanded(&case.metadata),
    })
}

/// A result's metadata as a YAML text, `None` when there is none: how REST has it. As with LAVA, `extra` is only the name
/// of a file, because clients read it as a text; the exports have the whole of it.
pub(crate) fn metadata_yaml(case: &Case) -> Option<String> {
    let mut fields = case.metadata.as_object().cloned()?;
    if let Some(extra) = fields.get_mut("extra") {
        let level = case.metadata.get("level").and_then(Value::as_str).unwrap_or_default();
        *extra = json!(format!("metadata/{}-{}-{level}.yaml", case.suite, case.name));
    }
    (!fields.is_empty()).then(|| crate::yaml::dump(&Value::Object(fields)))
}

/// A job's metadata as a list of mappings of one key, values as Python prints them.
pub(crate) fn job_metadata(job: &Job) -> Vec<Value> {
    let metadata: Value = serde_json::from_str(&job.metadata).unwrap_or_default();
    let entries = metadata.as_object().cloned().unwrap_or_default();
    entries.into_iter().map(|(key, value)| json!({ key: python(&value) })).collect()
}

/// A value as Python's `str()` prints it.
fn python(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_repr(other),
    }
}

fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("'{key}': {}", python_repr(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The report that exporters read. Secrets were masked before the log was sent.
pub(crate) fn report(job: &Job, cases: &[Case]) -> JobReport {
    let time = |time: Timestamp| pumice_record::Timestamp(time.0);
    JobReport {
        job: job.display_id(),
        name: job.description.clone(),
        device: job.actual_device.clone(),
        device_type: job.requested_device_type.clone(),
        started: job.start_time.map(time),
        ended: job.end_time.map(time),
        verdict: match job.state {
            JobState::Finished(verdict) => Some(verdict),
            _ => None,
        },
        failure: job.failure.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        results: cases.iter().map(logged).collect(),
    }
}

fn logged(case: &Case) -> LoggedResult {
    let line = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    let record = ResultRecord::from_json(&case.metadata)
        .unwrap_or_else(|| ResultRecord::new(case.suite.clone(), case.name.clone(), case.result));
    LoggedResult {
        id: case.id,
        at: pumice_record::Timestamp(case.logged.0),
        record: ResultRecord {
            // The names are those that were kept, which may be shorter.
            suite: case.suite.clone(),
            case: case.name.clone(),
            start_line: line(case.start_log_line),
            end_line: line(case.end_log_line),
            ..record
        },
        excerpt: None,
    }
}

/// Results as CSV.
pub(crate) fn csv(job: &Job, cases: &[Case]) -> String {
    write_csv(&report(job, cases), &Mask::default())
}

/// A job's metadata as a mapping.
pub(crate) fn job_metadata_map(job: &Job) -> Map<String, Value> {
    let metadata: Value = serde_json::from_str(&job.metadata).unwrap_or_default();
    metadata.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_python_prints_them() {
        assert_eq!(python(&json!(["a", "b"])), "['a', 'b']");
        assert_eq!(python(&json!("a")), "a");
        assert_eq!(python(&json!({"k": [1, true, null, "it's"]})), "{'k': [1, True, None, 'it\\'s']}");
    }

    #[test]
    fn decimals_have_ten_places() {
        assert_eq!(decimal(42.0), "42.0000000000");
        assert_eq!(decimal(0.0), "0.0000000000");
    }
}

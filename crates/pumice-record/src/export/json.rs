//! Our own JSON: everything that is known, in a form that is versioned (`docs/protocol/results.schema.json`).

use pumice_types::Mask;
use serde_json::{Value, json};

use super::{Counts, JobReport, LoggedResult, by_suite, summarise};

/// The name and version of the form. A change that an old reader would misread raises the number.
pub const JSON_SCHEMA: &str = "pumice-results/1";

/// The report as indented JSON with a line feed at its end.
pub fn write_json(report: &JobReport, mask: &Mask) -> String {
    let suites = summarise(&report.results);
    let summaries = suites.iter().map(|suite| suite.counts);
    // The runner's own steps are not tests: they are in no total.
    let tests = suites.iter().filter(|suite| suite.name != "lava").map(|suite| suite.counts);
    let total = tests.fold(Counts::default(), |sum, counts| Counts {
        pass: sum.pass + counts.pass,
        fail: sum.fail + counts.fail,
        skip: sum.skip + counts.skip,
        unknown: sum.unknown + counts.unknown,
    });
    let suites = by_suite(&report.results).into_iter().zip(summaries).map(|((name, cases), counts)| {
        let cases: Vec<_> = cases.into_iter().map(case).collect();
        json!({ "name": name, "counts": counts, "cases": cases })
    });
    let mut value = json!({
        "schema": JSON_SCHEMA,
        "job": {
            "id": report.job,
            "name": report.name,
            "device": report.device,
            "device_type": report.device_type,
            "started": report.started.map(|at| at.to_string()),
            "ended": report.ended.map(|at| at.to_string()),
            "verdict": report.verdict,
            "failure": report.failure,
        },
        "counts": total,
        "suites": suites.collect::<Vec<_>>(),
    });
    mask_strings(&mut value, mask);
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn case(result: &LoggedResult) -> Value {
    let record = &result.record;
    let mut case = json!({
        "name": record.case,
        "result": record.result,
        "logged": result.at.to_string(),
    });
    let Value::Object(map) = &mut case else { return case };
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::from);
    put("set", text(&record.set));
    put("measurement", record.measurement.map(Value::from));
    put("units", text(&record.units));
    put("duration_s", record.duration.map(|duration| duration.as_secs_f64().into()));
    put("reference", text(&record.reference));
    put("level", text(&record.level));
    put("namespace", text(&record.namespace));
    put("message", text(&record.error_msg));
    put("fault", text(&record.error_type));
    put("first_log_line", record.start_line.map(Value::from));
    put("last_log_line", record.end_line.map(Value::from));
    put("source", source(result));
    put("extra", record.extra.clone());
    case
}

/// Where a run came from.
fn source(result: &LoggedResult) -> Option<Value> {
    let record = &result.record;
    record.uuid.as_ref()?;
    Some(json!({
        "uuid": record.uuid,
        "repository": record.repository,
        "path": record.path,
        "revision": record.revision,
        "commit": record.commit_id,
    }))
}

fn mask_strings(value: &mut Value, mask: &Mask) {
    match value {
        Value::String(text) => *text = mask.apply(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_strings(item, mask)),
        Value::Object(entries) => entries.values_mut().for_each(|value| mask_strings(value, mask)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

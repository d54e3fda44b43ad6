//! LAVA's YAML list of results (lava-compat 7.4). Its values are strings, but for a measurement of zero, which is a
//! float: consumers know it so.

use std::fmt::Write as _;

use pumice_types::Mask;
use serde_json::{Value, json};

use super::{JobReport, LoggedResult};
use crate::line::value as flow;

/// The report as a YAML list.
pub fn write_yaml(report: &JobReport, mask: &Mask) -> String {
    if report.results.is_empty() {
        return "[]\n".to_owned();
    }
    let mut out = String::new();
    for result in &report.results {
        let Value::Object(item) = yaml_item(&report.job, result) else { continue };
        for (index, (key, value)) in item.iter().enumerate() {
            let _ = write!(out, "{}{key}: ", if index == 0 { "- " } else { "  " });
            flow(value, mask, &mut out);
            out.push('\n');
        }
    }
    out
}

/// One item of the list, its keys in LAVA's order.
pub fn yaml_item(job: &str, result: &LoggedResult) -> Value {
    let record = &result.record;
    let (measurement, unit) = result.measured();
    let measurement = match measurement {
        None => Value::from("None"),
        Some(0.0) => Value::from(0.0),
        Some(number) => Value::from(format!("{number:.10}")),
    };
    json!({
        "id": result.id.to_string(),
        "job": job,
        "level": record.level.clone().unwrap_or_default(),
        "log_end_line": LoggedResult::log_line(record.end_line),
        "log_start_line": LoggedResult::log_line(record.start_line),
        "logged": result.at.spaced(),
        "measurement": measurement,
        "metadata": result.metadata(),
        "name": record.case,
        "result": record.result,
        "suite": record.suite,
        "unit": unit,
        "url": result.url(),
    })
}

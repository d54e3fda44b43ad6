//! LAVA's CSV (lava-compat 7.4): every field in quotes, lines ended by CR LF (RFC 4180).

use pumice_types::Mask;

use super::{JobReport, LoggedResult, python};

/// The columns, in order.
pub const CSV_COLUMNS: [&str; 15] = [
    "job",
    "suite",
    "result",
    "measurement",
    "unit",
    "duration",
    "timeout",
    "logged",
    "level",
    "metadata",
    "url",
    "name",
    "id",
    "log_start_line",
    "log_end_line",
];

/// The report as CSV, with the names of the columns first.
pub fn write_csv(report: &JobReport, mask: &Mask) -> String {
    let mut out = String::new();
    row(&CSV_COLUMNS.map(str::to_owned), &mut out);
    for result in &report.results {
        write_csv_row(&report.job, result, mask, &mut out);
    }
    out
}

/// Adds the row of one result.
pub fn write_csv_row(job: &str, result: &LoggedResult, mask: &Mask, out: &mut String) {
    let record = &result.record;
    let (measurement, unit) = result.measured();
    let measurement = match measurement {
        None => "None".to_owned(),
        // A decimal with ten places that is zero, as Python prints it.
        Some(0.0) => "0E-10".to_owned(),
        Some(number) => format!("{number:.10}"),
    };
    let mut metadata = String::new();
    python::repr(&result.metadata(), mask, &mut metadata);
    let fields = [
        job.to_owned(),
        mask.apply(&record.suite),
        record.result.as_str().to_owned(),
        measurement,
        mask.apply(unit),
        String::new(),
        String::new(),
        result.at.spaced(),
        record.level.clone().unwrap_or_default(),
        metadata,
        result.url(),
        mask.apply(&record.case),
        result.id.to_string(),
        LoggedResult::log_line(record.start_line),
        LoggedResult::log_line(record.end_line),
    ];
    row(&fields, out);
}

fn row(fields: &[String], out: &mut String) {
    for (index, field) in fields.iter().enumerate() {
        out.push_str(if index > 0 { ",\"" } else { "\"" });
        out.push_str(&field.replace('"', "\"\""));
        out.push('"');
    }
    out.push_str("\r\n");
}

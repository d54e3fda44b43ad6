//! `pumice results`: the cases of a job.

use std::io::Write as _;

use pumice_client::LabClient;
use pumice_types::{Failure, JobId, SourceId};
use serde::Serialize;

use crate::{
    cli::{Format, lab::ResultsArgs},
    exit::Exit,
    lab::{self, asked_of, connect, number_of},
    terminal::{print, print_error},
};

/// The suite of what the runner did itself.
pub(crate) const RUNNER: &str = "lava";

/// How many cases one request asks for.
const PAGE: u32 = 500;

/// A case as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) suite: String,
    pub(crate) name: String,
    pub(crate) result: String,
    pub(crate) measurement: Option<String>,
    pub(crate) unit: Option<String>,
}

pub(crate) fn main(args: &ResultsArgs) -> Exit {
    lab::exit(results(args))
}

fn results(args: &ResultsArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let id = number_of(&client, &args.id)?;
    if let Some(kind) = &args.export {
        let report = asked_of(id, client.export(id, kind))?;
        // Nobody to tell when standard output is gone.
        drop(std::io::stdout().write_all(&report));
    } else {
        let cases = all(&client, id)?;
        show(&cases, args.lab.format);
        let job = asked_of(id, client.job(id))?;
        if !job.is_finished() {
            print_error(&format!("job {id} has not ended: it is {}", job.state));
        } else if cases.is_empty() {
            print_error(&format!("job {id} left no results; `pumice why {id}` says why"));
        }
    }
    Ok(Exit::Success)
}

/// Every case of a job, in order.
pub(crate) fn all(client: &LabClient, id: JobId) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    loop {
        let page = asked_of(id, client.results(id, PAGE, cases.len() as u64))?;
        let is_last = page.results.is_empty();
        cases.extend(page.results.into_iter().map(|case| Case {
            suite: suite(case.metadata.as_deref().unwrap_or_default()),
            name: case.name,
            result: case.result,
            measurement: case.measurement,
            unit: case.unit.filter(|unit| !unit.is_empty()),
        }));
        if is_last || cases.len() as u64 >= page.count {
            return Ok(cases);
        }
    }
}

/// A case names its suite in its metadata, `definition` (lava-compat 7.3).
fn suite(metadata: &str) -> String {
    let (node, _) = pumice_yaml::parse(metadata, SourceId::default());
    node.as_ref().and_then(|node| node.get("definition")).map(|name| name.text().clone()).unwrap_or_default()
}

/// Prints cases: one a line, or a list.
pub(crate) fn show(cases: &[Case], format: Format) {
    if format == Format::Json {
        print(&serde_json::json!(cases).to_string());
        return;
    }
    for case in cases {
        let measured = case
            .measurement
            .as_ref()
            .map(|value| format!("  {} {}", shortest(value), case.unit.as_deref().unwrap_or_default()));
        let measured = measured.unwrap_or_default();
        print(format!("{:7} {}/{}{measured}", case.result, case.suite, case.name).trim_end());
    }
}

/// A decimal number without the zeros that the database keeps behind it.
fn shortest(value: &str) -> &str {
    if !value.contains('.') || value.contains(['e', 'E']) {
        return value;
    }
    value.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_shown_without_zeros_that_say_nothing() {
        let check = |value: &str, expected: &str| assert_eq!(shortest(value), expected);
        check("12.5000000000", "12.5");
        check("0.0000000000", "0");
        check("100.0000000000", "100");
        check("100", "100");
        check("1.50E-10", "1.50E-10");
    }

    #[track_caller]
    fn check(metadata: &str, expected: &str) {
        assert_eq!(suite(metadata), expected);
    }

    #[test]
    fn a_case_names_its_suite_in_its_metadata() {
        check("{case: one, definition: 0_cases, result: pass}", "0_cases");
        check("definition: lava\ncase: job\n", "lava");
        check("", "");
    }
}

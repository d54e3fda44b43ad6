//! TAP version 13 (<https://testanything.org/tap-version-13-specification.html>; lava-compat 7.4).

use std::fmt::Write as _;

use pumice_types::{CaseResult, Mask};

use super::{JobReport, by_suite, one_line};

/// The report as TAP: one plan for all, a comment before each suite.
pub fn write_tap(report: &JobReport, mask: &Mask) -> String {
    let mut out = format!("TAP version 13\n1..{}\n", report.results.len());
    let mut number = 0;
    for (suite, cases) in by_suite(&report.results) {
        let _ = writeln!(out, "# TAP results for {}", one_line(&mask.apply(suite)));
        for result in cases {
            number += 1;
            let record = &result.record;
            let name = one_line(&mask.apply(&record.case)).replace('\\', "\\\\").replace('#', "\\#");
            let _ = match record.result {
                CaseResult::Pass => writeln!(out, "ok {number} {name}"),
                CaseResult::Skip => writeln!(out, "ok {number} {name} # SKIP"),
                CaseResult::Unknown => writeln!(out, "not ok {number} {name} # TODO the result is unknown"),
                CaseResult::Fail => {
                    let _ = writeln!(out, "not ok {number} {name}\n ---");
                    if let Some(why) = &record.error_msg {
                        let why = serde_json::Value::from(one_line(&mask.apply(why)));
                        let _ = writeln!(out, " message: {why}");
                    }
                    writeln!(out, " ...")
                }
            };
        }
    }
    out
}

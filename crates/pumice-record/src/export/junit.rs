//! JUnit, as CI systems read it: a suite for each suite (lava-compat 7.4).

use std::fmt::Write as _;

use pumice_types::{CaseResult, Mask};

use super::{JobReport, LoggedResult, by_suite, one_line};

/// What readers differ about.
#[derive(Clone, Copy, Debug, Default)]
pub struct JunitStyle<'a> {
    /// Goes before the class name of every case: `PREFIX_suite`.
    pub class_prefix: Option<&'a str>,
    /// Whether a case whose result is unknown counts as passed, as LAVA has it. Else it is skipped, which is no lie.
    pub unknown_passes: bool,
}

/// The report as JUnit.
pub fn write_junit(report: &JobReport, style: JunitStyle<'_>, mask: &Mask) -> String {
    let suites = by_suite(&report.results);
    let all = totals(report.results.iter(), style);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    let name = escape(&mask.apply(&report.name));
    let _ = writeln!(out, "<testsuites name=\"{name}\" {all}>");
    for (suite, cases) in suites {
        let shown = escape(&mask.apply(suite));
        let totals = totals(cases.iter().copied(), style);
        let at = report.ended.map(|at| format!(" timestamp=\"{at}\"")).unwrap_or_default();
        let _ = writeln!(out, "\t<testsuite name=\"{shown}\" {totals}{at}>");
        for result in cases {
            case(result, style, mask, &mut out);
        }
        out.push_str("\t</testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn totals<'r>(results: impl Iterator<Item = &'r LoggedResult>, style: JunitStyle<'_>) -> String {
    let (mut tests, mut failures, mut skipped, mut time) = (0, 0, 0, 0.0);
    for result in results {
        tests += 1;
        failures += usize::from(result.record.result == CaseResult::Fail);
        skipped += usize::from(is_skipped(result.record.result, style));
        time += result.record.duration.map_or(0.0, |duration| duration.as_secs_f64());
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{time:.6}\"")
}

fn is_skipped(result: CaseResult, style: JunitStyle<'_>) -> bool {
    result == CaseResult::Skip || (result == CaseResult::Unknown && !style.unknown_passes)
}

fn case(result: &LoggedResult, style: JunitStyle<'_>, mask: &Mask, out: &mut String) {
    let record = &result.record;
    let prefix = style.class_prefix.map(|prefix| format!("{prefix}_")).unwrap_or_default();
    let _ = write!(
        out,
        "\t\t<testcase name=\"{}\" classname=\"{}\"",
        escape(&mask.apply(&record.case)),
        escape(&mask.apply(&format!("{prefix}{}", record.suite))),
    );
    if let Some(duration) = record.duration {
        let _ = write!(out, " time=\"{:.6}\"", duration.as_secs_f64());
    }
    let _ = write!(out, " timestamp=\"{}\"", result.at);
    match record.result {
        CaseResult::Fail => {
            let told = || ["reason", "fail"].iter().find_map(|key| record.extra.as_ref()?.get(key)?.as_str());
            let why = record.error_msg.as_deref().or_else(told).unwrap_or("failed");
            let why = escape(&one_line(&mask.apply(why)));
            let _ = write!(out, ">\n\t\t\t<failure type=\"failure\" message=\"{why}\">");
            out.push_str(&escape(&mask.apply(result.excerpt.as_deref().unwrap_or_default())));
            out.push_str("</failure>\n\t\t</testcase>\n");
        }
        CaseResult::Skip => out.push_str(">\n\t\t\t<skipped/>\n\t\t</testcase>\n"),
        CaseResult::Unknown if !style.unknown_passes => {
            out.push_str(">\n\t\t\t<skipped message=\"the result is unknown\"/>\n\t\t</testcase>\n");
        }
        CaseResult::Pass | CaseResult::Unknown => out.push_str("/>\n"),
    }
}

/// Text for XML 1.0: what its section 2.2 does not allow becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
    out
}

//! How many of what, for tables.

use pumice_types::CaseResult;
use serde::Serialize;

use super::{LoggedResult, by_suite};

/// How many cases ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// Not tried.
    pub skip: usize,
    /// Nobody can say.
    pub unknown: usize,
}

impl Counts {
    /// All of them.
    pub fn total(self) -> usize {
        self.pass + self.fail + self.skip + self.unknown
    }

    fn add(&mut self, result: CaseResult) {
        match result {
            CaseResult::Pass => self.pass += 1,
            CaseResult::Fail => self.fail += 1,
            CaseResult::Skip => self.skip += 1,
            CaseResult::Unknown => self.unknown += 1,
        }
    }
}

/// One suite of a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuiteSummary {
    /// The suite.
    pub name: String,
    /// Its cases.
    pub counts: Counts,
    /// The names of its cases that failed, in order.
    pub failed: Vec<String>,
}

/// Counts `results` by suite, suites in the order of their first result.
pub fn summarise(results: &[LoggedResult]) -> Vec<SuiteSummary> {
    by_suite(results)
        .into_iter()
        .map(|(name, cases)| {
            let mut counts = Counts::default();
            for case in &cases {
                counts.add(case.record.result);
            }
            let failed = cases.iter().filter(|case| case.record.result == CaseResult::Fail);
            let failed = failed.map(|case| case.record.case.clone()).collect();
            SuiteSummary { name: name.to_owned(), counts, failed }
        })
        .collect()
}

/// A test definition or a script that did not come to its end, or was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// `N_name`, as its suite is called.
    pub suite: String,
    /// Why, where that is known.
    pub reason: Option<String>,
}

/// Whether a case of the suite `lava` tells of the tests: `N_name` (lava-compat 3.4). The other ones tell of steps.
pub fn tells_of_tests(case: &str) -> bool {
    let digits = case.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && case.as_bytes().get(digits) == Some(&b'_')
}

/// What did not come to its end; of one that was tried again its last try counts. Its cases may all have passed.
pub fn unfinished(results: &[LoggedResult]) -> Vec<Unfinished> {
    let mut found: Vec<(&str, Option<Unfinished>)> = Vec::new();
    let records = results.iter().map(|result| &result.record);
    for record in records.filter(|record| record.suite == "lava" && tells_of_tests(&record.case)) {
        let reason = ["reason", "fail"].iter().find_map(|key| record.extra.as_ref()?.get(key)?.as_str());
        let failed = (record.result == CaseResult::Fail)
            .then(|| Unfinished { suite: record.case.clone(), reason: reason.map(str::to_owned) });
        match found.iter_mut().find(|(name, _)| *name == record.case) {
            Some((_, last)) => *last = failed,
            None => found.push((&record.case, failed)),
        }
    }
    found.into_iter().filter_map(|(_, last)| last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_definitions_are_told_from_those_of_steps() {
        for (case, expected) in [
            ("0_smoke", true),
            ("12_a_b", true),
            ("1_", true),
            ("login-action", false),
            ("_x", false),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(tells_of_tests(case), expected, "{case}");
        }
    }
}

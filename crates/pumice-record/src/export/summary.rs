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

//! How the results of two jobs differ.

use std::collections::BTreeMap;

use pumice_db::{Case, DbError, Job, Page, Reader};
use pumice_types::CaseResult;
use serde::Serialize;

/// Every row at once.
const ALL: Page = Page { limit: 1 << 31, offset: 0 };

/// A case that is not the same in both jobs. A case that came more than once counts by its last result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    pub(crate) suite: String,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) before: Option<&'static str>,
    pub(crate) after: Option<&'static str>,
    pub(crate) measurement_before: Option<f64>,
    pub(crate) measurement_after: Option<f64>,
}

/// Whether it is there and passed.
fn passed(result: Option<&str>) -> bool {
    result == Some(CaseResult::Pass.as_str())
}

impl Change {
    /// It passed, and does not any more or is gone.
    pub(crate) fn is_regression(&self) -> bool {
        passed(self.before) && !passed(self.after)
    }

    /// It passes, and did not before or was not there.
    pub(crate) fn is_progression(&self) -> bool {
        passed(self.after) && !passed(self.before)
    }

    /// Only the number is another.
    pub(crate) fn is_measurement(&self) -> bool {
        self.before == self.after
    }

    /// Neither of these: from a failure to no result, for example.
    pub(crate) fn is_other(&self) -> bool {
        !self.is_regression() && !self.is_progression() && !self.is_measurement()
    }
}

/// What two jobs have in common and what not. The suite `lava`, in which the runner tells of itself, is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) same: usize,
    pub(crate) changes: Vec<Change>,
}

/// Holds one job against another.
pub(crate) async fn compare(reader: &mut Reader, before: &Job, after: &Job) -> Result<Comparison, DbError> {
    let before = reader.cases(before.id, &[], &[], ALL).await?.rows;
    let after = reader.cases(after.id, &[], &[], ALL).await?.rows;
    Ok(differences(&before, &after))
}

/// The last result of each case, by suite and name.
fn last_results(cases: &[Case]) -> BTreeMap<(&str, &str), &Case> {
    let tests = cases.iter().filter(|case| case.suite != "lava");
    tests.map(|case| ((case.suite.as_str(), case.name.as_str()), case)).collect()
}

fn differences(before: &[Case], after: &[Case]) -> Comparison {
    let (before, after) = (last_results(before), last_results(after));
    let mut found = Comparison::default();
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    for key in after.keys().chain(gone) {
        let (old, new) = (before.get(key), after.get(key));
        let change = Change {
            suite: key.0.to_owned(),
            name: key.1.to_owned(),
            unit: new.or(old).map(|case| case.units.clone()).unwrap_or_default(),
            before: old.map(|case| case.result.as_str()),
            after: new.map(|case| case.result.as_str()),
            measurement_before: old.and_then(|case| case.measurement),
            measurement_after: new.and_then(|case| case.measurement),
        };
        if change.before == change.after && change.measurement_before == change.measurement_after {
            found.same += 1;
        } else {
            found.changes.push(change);
        }
    }
    found
}

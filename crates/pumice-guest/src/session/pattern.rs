//! Results found in the output by a pattern of the definition, historic (lava-compat 4.5, `parse`).

use pumice_types::CaseResult;

use crate::signal::{Problem, TestCase};

/// The named groups of a match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternMatch {
    /// `test_case_id`.
    pub test_case_id: Option<String>,
    /// `result`.
    pub result: Option<String>,
    /// `measurement`.
    pub measurement: Option<String>,
    /// `units`.
    pub units: Option<String>,
}

impl PatternMatch {
    /// The case, its result translated by `fixups`. A measurement without a result passes (lava-compat 1.7).
    pub fn into_case(self, fixups: &[(String, String)]) -> Result<TestCase, Problem> {
        let measurement = match self.measurement {
            None => None,
            Some(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Some(number),
                _ => return Err(Problem::Measurement(text)),
            },
        };
        let result = match self.result {
            None if measurement.is_some() => CaseResult::Pass,
            None => return Err(Problem::Missing("the group `result`")),
            Some(word) => {
                let fixed = fixups.iter().find(|(from, _)| *from == word).map_or(word.as_str(), |(_, to)| to);
                CaseResult::from_word(fixed).ok_or_else(|| Problem::Result(word.clone()))?
            }
        };
        let id = self.test_case_id.ok_or(Problem::Missing("the group `test_case_id`"))?;
        Ok(TestCase { id, result, measurement, units: self.units })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_translated_and_a_bare_measurement_passes() {
        let found = |result: Option<&str>, measurement: Option<&str>| PatternMatch {
            test_case_id: Some("a".to_owned()),
            result: result.map(str::to_owned),
            measurement: measurement.map(str::to_owned),
            units: None,
        };
        let fixups = [("OK".to_owned(), "pass".to_owned()), ("fail".to_owned(), "skip".to_owned())];
        let result = |found: PatternMatch| found.into_case(&fixups).map(|case| case.result);
        assert_eq!(result(found(Some("OK"), None)), Ok(CaseResult::Pass));
        assert_eq!(result(found(Some("fail"), None)), Ok(CaseResult::Skip));
        assert_eq!(result(found(None, Some("1.5"))), Ok(CaseResult::Pass));
        assert_eq!(result(found(Some("odd"), None)), Err(Problem::Result("odd".to_owned())));
        assert_eq!(result(found(Some("pass"), Some("fast"))), Err(Problem::Measurement("fast".to_owned())));
        assert_eq!(result(found(None, None)), Err(Problem::Missing("the group `result`")));
    }
}

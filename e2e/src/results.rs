//! What a run recorded, from its `results.json`.

use std::path::Path;

use fs_err as fs;
use serde_json::Value;

/// The results of a run.
pub struct Results(Value);

impl Results {
    /// Reads them from the run's output directory.
    ///
    /// # Panics
    /// When there are none.
    pub fn read(output: &Path) -> Self {
        let text = fs::read_to_string(output.join("results.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// `SUITE/CASE RESULT` of every case, in order by suite.
    pub fn cases(&self) -> Vec<String> {
        let mut cases = Vec::new();
        for suite in self.0["suites"].as_array().unwrap() {
            for case in suite["cases"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let (suite, name) = (text(&suite["name"]), text(&case["name"]));
                cases.push(format!("{suite}/{name} {}", text(&case["result"])));
            }
        }
        cases
    }

    /// Those of the tests, without the runner's own.
    pub fn tests(&self) -> Vec<String> {
        self.cases().into_iter().filter(|case| !case.starts_with("lava/")).collect()
    }

    /// The failure's cause, fault and message; `None` when the job is complete.
    pub fn failure(&self) -> Option<(String, String, String)> {
        let failure = &self.0["job"]["failure"];
        let text = |key: &str| failure[key].as_str().map(str::to_owned);
        Some((text("cause")?, text("fault")?, text("message")?))
    }

    /// The measurement of a case.
    pub fn measurement(&self, case: &str) -> Option<f64> {
        let suites = self.0["suites"].as_array()?.iter();
        let mut cases = suites.filter_map(|suite| suite["cases"].as_array()).flatten();
        cases.find(|one| one["name"] == case)?["measurement"].as_f64()
    }
}

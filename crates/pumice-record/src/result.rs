//! One result of a job.

use std::time::Duration;

use pumice_types::CaseResult;
use serde_json::{Map, Value};

/// One result (lava-compat 3.4). Results are only ever added; the same case may have several.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRecord {
    /// The suite: `lava` for what the runner does itself, else `N_name`.
    pub suite: String,
    /// The case.
    pub case: String,
    /// How it went.
    pub result: CaseResult,
    /// The namespace of the block.
    pub namespace: Option<String>,
    /// The place of the step in the plan: `2.1.3`.
    pub level: Option<String>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// What else is known of it: a mapping or a list.
    pub extra: Option<Value>,
    /// What was measured; finite.
    pub measurement: Option<f64>,
    /// The unit of what was measured.
    pub units: Option<String>,
    /// The set the case belongs to.
    pub set: Option<String>,
    /// A link that shows it.
    pub reference: Option<String>,
    /// The id of the test definition in the overlay.
    pub uuid: Option<String>,
    /// Where the definition came from: a URL, or the whole definition of an inline one.
    pub repository: Option<Value>,
    /// Its path there.
    pub path: Option<String>,
    /// The revision the job asked for.
    pub revision: Option<String>,
    /// The commit that was used.
    pub commit_id: Option<String>,
    /// The namespace whose connection was used.
    pub connection_namespace: Option<String>,
    /// What went wrong, for `lava/job`.
    pub error_msg: Option<String>,
    /// Whose failure it was, in LAVA's words (lava-compat 3.5).
    pub error_type: Option<String>,
    /// The index in the log, from 0, where the output of the case begins.
    pub start_line: Option<u64>,
    /// The index in the log, from 0, where the output of the case ends.
    pub end_line: Option<u64>,
}

impl ResultRecord {
    /// A result with nothing but its name.
    pub fn new(suite: impl Into<String>, case: impl Into<String>, result: CaseResult) -> Self {
        Self {
            suite: suite.into(),
            case: case.into(),
            result,
            namespace: None,
            level: None,
            duration: None,
            extra: None,
            measurement: None,
            units: None,
            set: None,
            reference: None,
            uuid: None,
            repository: None,
            path: None,
            revision: None,
            commit_id: None,
            connection_namespace: None,
            error_msg: None,
            error_type: None,
            start_line: None,
            end_line: None,
        }
    }

    /// The mapping of LAVA's log, its keys in LAVA's names and usual order.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        let text = |value: &Option<String>| value.clone().map(Value::from);
        put("definition", Some(self.suite.clone().into()));
        put("namespace", text(&self.namespace));
        put("case", Some(self.case.clone().into()));
        put("level", text(&self.level));
        put("uuid", text(&self.uuid));
        put("repository", self.repository.clone());
        put("path", text(&self.path));
        put("duration", self.duration.map(|duration| format!("{:.2}", duration.as_secs_f64()).into()));
        put("result", Some(self.result.as_str().into()));
        put("revision", text(&self.revision));
        put("commit_id", text(&self.commit_id));
        put("connection-namespace", text(&self.connection_namespace));
        put("set", text(&self.set));
        put("reference", text(&self.reference));
        put("measurement", self.measurement.map(Value::from));
        put("units", text(&self.units));
        put("error_msg", text(&self.error_msg));
        put("error_type", text(&self.error_type));
        put("starttc", self.start_line.map(Value::from));
        put("endtc", self.end_line.map(Value::from));
        put("extra", self.extra.clone());
        Value::Object(map)
    }

    /// Reads the mapping of LAVA's log; `None` when suite, case or result is missing or unknown. Keys that nobody
    /// knows are dropped.
    pub fn from_json(json: &Value) -> Option<Self> {
        let text = |key: &str| json.get(key).and_then(scalar_text);
        // LAVA's runner writes them as text too (lava-compat 3.3).
        let line = |key: &str| text(key)?.parse().ok();
        let duration = text("duration").and_then(|text| text.parse::<f64>().ok());
        Some(Self {
            namespace: text("namespace"),
            level: text("level"),
            duration: duration.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            extra: json.get("extra").cloned(),
            measurement: json.get("measurement").and_then(number).filter(|number| number.is_finite()),
            units: text("units"),
            set: text("set"),
            reference: text("reference"),
            uuid: text("uuid"),
            repository: json.get("repository").cloned(),
            path: text("path"),
            revision: text("revision"),
            commit_id: text("commit_id"),
            connection_namespace: text("connection-namespace"),
            error_msg: text("error_msg"),
            error_type: text("error_type"),
            start_line: line("starttc"),
            end_line: line("endtc"),
            ..Self::new(text("definition")?, text("case")?, CaseResult::from_word(&text("result")?)?)
        })
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_survives_the_way_through_the_log() {
        let full = ResultRecord {
            namespace: Some("common".to_owned()),
            level: Some("1.3.1".to_owned()),
            duration: Some(Duration::from_millis(70)),
            extra: Some(serde_json::json!({"label": "kernel", "size": 5})),
            measurement: Some(42.0),
            units: Some("ms".to_owned()),
            start_line: Some(430),
            end_line: Some(431),
            ..ResultRecord::new("0_five", "t3", CaseResult::Pass)
        };
        assert_eq!(ResultRecord::from_json(&full.to_json()), Some(full));
        assert_eq!(ResultRecord::from_json(&serde_json::json!({"definition": "a", "case": "b"})), None);
    }
}

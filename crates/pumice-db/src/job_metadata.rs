//! A job's metadata as rows, so that both engines can be asked for a key deep inside.

use pumice_types::JobId;
use serde_json::Value;

use crate::{Condition, DbError, UnknownField, Writer, query, row::params};

/// Every scalar of a metadata tree with its path, keys joined by `__`; items of a list have their list's path.
fn paths(prefix: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}__{key}") };
                paths(&path, value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(prefix, item, found)),
        Value::String(text) => found.push((prefix.to_owned(), text.clone())),
        other => found.push((prefix.to_owned(), other.to_string())),
    }
}

const EXISTS: &str = "EXISTS (SELECT 1 FROM job_metadata md WHERE md.job_id = j.id AND";

impl Condition {
    /// A condition on the metadata of jobs: `KEY`, `KEY__LOOKUP`, or one of `has_key`, `has_keys`, `has_any_keys` and
    /// `contains` (lava-compat 7.3). `name` is what follows `metadata__`.
    pub fn on_job_metadata(name: &str, value: &str) -> Result<Self, UnknownField> {
        let holds_key = |key: &str| {
            let nested = format!("{key}__");
            (
                format!("{EXISTS} (md.path = $? OR substr(md.path, 1, length($?)) = $?))"),
                params![key, nested.as_str(), nested.as_str()],
            )
        };
        match name {
            "has_key" => Ok(Self::joined(vec![holds_key(value)], "AND")),
            "has_keys" => Ok(Self::joined(value.split(',').map(holds_key).collect(), "AND")),
            "has_any_keys" => Ok(Self::joined(value.split(',').map(holds_key).collect(), "OR")),
            "contains" => {
                let tree: Value = serde_json::from_str(value).map_err(|_| UnknownField::Value {
                    field: "metadata__contains".to_owned(),
                    expected: "JSON",
                })?;
                let mut wanted = Vec::new();
                paths("", &tree, &mut wanted);
                let part = |(path, value): (String, String)| {
                    (format!("{EXISTS} md.path = $? AND md.value = $?)"), params![path, value])
                };
                Ok(Self::joined(wanted.into_iter().map(part).collect(), "AND"))
            }
            _ => query::on_path(name, value, EXISTS),
        }
    }
}

impl Writer {
    pub(crate) async fn insert_job_metadata(&mut self, id: JobId, metadata: &Value) -> Result<(), DbError> {
        let mut found = Vec::new();
        paths("", metadata, &mut found);
        for (path, value) in found {
            let sql = "INSERT INTO job_metadata (job_id, path, value) VALUES ($1, $2, $3)";
            self.execute(sql, params![id, path, value]).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_paths_to_its_scalars() {
        let tree = serde_json::json!({"build": {"url": "u", "nr": 7}, "list": ["a", "b"]});
        let mut found = Vec::new();
        paths("", &tree, &mut found);
        let found: Vec<_> = found.iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(found, ["build__url=u", "build__nr=7", "list=a", "list=b"]);
    }
}

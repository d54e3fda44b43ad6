//! Our JSON against its schema, with a reader of the few words the schema uses.

use pumice_record::export::{JSON_SCHEMA, write_json};
use pumice_types::Mask;
use serde_json::Value;

use crate::exports::report;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/results.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Adds what is wrong with `value` to `wrong`.
fn validate(root: &Value, schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        validate(root, target, value, place, wrong);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Null => true,
        Value::String(one) => one == kind || (one == "number" && kind == "integer"),
        many => many.as_array().unwrap().iter().any(|one| one == kind),
    };
    let listed = schema["enum"].as_array().is_none_or(|values| values.contains(value));
    if !allowed || !listed {
        wrong.push(format!("{place}: {value} is not {} {}", schema["type"], schema["enum"]));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
            wrong.push(format!("{place}: {name} is missing"));
        }
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(property) => validate(root, property, item, &format!("{place}/{key}"), wrong),
            None if schema["additionalProperties"] == false => {
                wrong.push(format!("{place}: {key} is unknown"));
            }
            None => {}
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if !schema["items"].is_null() {
            validate(root, &schema["items"], item, &format!("{place}/{index}"), wrong);
        }
    }
}

#[test]
fn json_is_what_its_schema_says() {
    let schema = schema();
    assert_eq!(schema["$id"], JSON_SCHEMA);
    let mut empty = report();
    empty.results.clear();
    (empty.verdict, empty.failure, empty.ended) = (None, None, None);
    for report in [report(), empty] {
        let text = write_json(&report, &Mask::new(["hunter2".to_owned()]));
        assert!(!text.contains("hunter2"));
        let value: Value = serde_json::from_str(&text).unwrap();
        let mut wrong = Vec::new();
        validate(&schema, &schema, &value, "", &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn the_reader_of_the_schema_can_refuse() {
    let schema = schema();
    let mut value: Value = serde_json::from_str(&write_json(&report(), &Mask::default())).unwrap();
    value["suites"][0]["cases"][0]["result"] = "maybe".into();
    value["job"].as_object_mut().unwrap().remove("id");
    value["extra"] = 1.into();
    let mut wrong = Vec::new();
    validate(&schema, &schema, &value, "", &mut wrong);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

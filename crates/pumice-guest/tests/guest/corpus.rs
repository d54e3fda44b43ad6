//! Test definitions from the field, with LAVA's verdict on each.

use std::{fs, path::Path};

use pumice_guest::definition;
use pumice_types::{Diagnostics, Severity, SourceId};
use serde_json::Value;

/// What is refused in `text`.
fn errors(text: &str) -> Vec<String> {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    let (_, more) = node.map_or_else(|| (None, Diagnostics::new()), |node| definition::parse(&node));
    diagnostics
        .into_iter()
        .chain(more)
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| diagnostic.message)
        .collect()
}

#[test]
fn verdicts_on_test_definitions_from_the_field_agree_with_lavas() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/testdefs.jsonl");
    let Ok(lines) = fs::read_to_string(&path) else {
        println!("skipped: there is no corpus at {}", path.display());
        return;
    };
    let (mut judged, mut differ) = (0, Vec::new());
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let errors = errors(text);
        let Some(accepted) = case["verdict"]["ok"].as_bool() else { continue };
        judged += 1;
        if accepted != errors.is_empty() {
            differ.push(format!("{}: LAVA accepts: {accepted}; ours: {errors:?}", case["name"]));
        }
    }
    println!("{judged} definitions, {} verdicts differ", differ.len());
    assert!(judged > 100);
    assert!(differ.len() * 100 <= judged, "{}", differ.join("\n"));
}

//! Diagnostics as SARIF 2.1.0, the format in which code hosts and editors take the findings of a checker (OASIS,
//! *Static Analysis Results Interchange Format*, version 2.1.0).

use std::path::Path;

use pumice_types::{Code, Diagnostic, Diagnostics, Severity, Sources, Span};
use serde_json::{Value, json};

use crate::file_uri::file_uri;

/// The schema that the log names.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One log with one run: everything that was found in `checked`.
pub(crate) fn log<'a>(checked: impl IntoIterator<Item = (&'a Diagnostics, &'a Sources)>) -> Value {
    let mut rules: Vec<Code> = Vec::new();
    let mut results = Vec::new();
    for (diagnostics, sources) in checked {
        for diagnostic in diagnostics {
            let known = rules.iter().position(|code| *code == diagnostic.code);
            let index = known.unwrap_or_else(|| {
                rules.push(diagnostic.code);
                rules.len() - 1
            });
            results.push(result(diagnostic, index, sources));
        }
    }
    let driver = json!({
        "name": env!("CARGO_PKG_NAME"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.into_iter().map(rule).collect::<Vec<_>>(),
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A reportingDescriptor (section 3.49).
fn rule(code: Code) -> Value {
    let mut rule = json!({ "id": code.0 });
    if let Some((_, text)) = pumice_job::codes().find(|(known, _)| *known == code) {
        rule["fullDescription"] = json!({ "text": text });
    }
    rule
}

/// A result (section 3.27).
fn result(diagnostic: &Diagnostic, rule: usize, sources: &Sources) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text = format!("{text}\n{help}");
    }
    let place = diagnostic.span.and_then(|span| location(span, sources));
    let mut result = json!({
        "ruleId": diagnostic.code.0,
        "ruleIndex": rule,
        "level": level,
        "message": { "text": text },
        "locations": place.into_iter().collect::<Vec<_>>(),
    });
    let related = diagnostic.related.iter().filter_map(|related| {
        let mut place = location(related.span, sources)?;
        place["message"] = json!({ "text": related.label });
        Some(place)
    });
    let related: Vec<_> = related.collect();
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    if let Some(fix) = diagnostic.suggestion.as_ref().and_then(|suggestion| {
        let artifact = artifact(suggestion.span, sources)?;
        let region = region(suggestion.span, sources)?;
        Some(json!({
            "description": { "text": format!("Write `{}`.", suggestion.replacement) },
            "artifactChanges": [{
                "artifactLocation": artifact,
                "replacements": [{
                    "deletedRegion": region,
                    "insertedContent": { "text": suggestion.replacement },
                }],
            }],
        }))
    }) {
        result["fixes"] = json!([fix]);
    }
    result
}

/// A location (section 3.28).
fn location(span: Span, sources: &Sources) -> Option<Value> {
    let (artifact, region) = (artifact(span, sources)?, region(span, sources)?);
    Some(json!({ "physicalLocation": { "artifactLocation": artifact, "region": region } }))
}

/// An artifactLocation (section 3.4): a relative or absolute URI reference.
fn artifact(span: Span, sources: &Sources) -> Option<Value> {
    Some(json!({ "uri": file_uri(Path::new(&sources.get(span.source)?.name)) }))
}

/// A region (section 3.30); the end column is the one behind the last character.
fn region(span: Span, sources: &Sources) -> Option<Value> {
    let start = sources.position(span)?;
    let end = sources.position(Span::new(span.source, span.end, span.end))?;
    Some(json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_its_rule_its_region_and_its_fix() {
        let mut sources = Sources::default();
        let id = sources.add("job.yaml", "job_name: x\nprioritty: low\n");
        let span = Span::new(id, 12, 21);
        let found: Diagnostics =
            [Diagnostic::error(pumice_job::codes::UNKNOWN_KEY, span, "no").suggest(Some("priority"))]
                .into_iter()
                .collect();
        let log = log([(&found, &sources)]);
        let run = &log["runs"][0];
        let result = &run["results"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], result["ruleId"]);
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!(*region, json!({"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 10}));
        let replacement = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(replacement["insertedContent"]["text"], "priority");
        assert_eq!(replacement["deletedRegion"], *region);
    }
}
